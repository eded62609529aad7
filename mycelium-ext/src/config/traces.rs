//! `[traces]`: spans that go on at other nodes.

use super::reader::{Reader, Section};
use super::setting::Setting;

/// Spans that go on at other nodes. They need the feature `otel`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TracesSettings {
    /// Whether messages to peers have the context of the span that they are sent in, and those of
    /// peers are handled in a span that continues it. Only to and from peers that have it on too.
    pub propagate: Setting<bool>,
}

/// Reads `[traces]`.
pub(super) fn read(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> TracesSettings {
    let mut section = root.section(reader, "traces");
    let propagate = section.setting(reader, "propagate");
    section.finish(reader);
    TracesSettings { propagate: propagate.unwrap_or_else(|| Setting::default(false)) }
}
