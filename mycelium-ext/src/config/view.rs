//! `[view]`: what the node shows to those who watch it.

use std::fmt;

use super::reader::{Reader, Section};
use super::setting::Setting;

/// What the node shows to those who watch it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ViewSettings {
    /// Whether snapshots of the process are served to its own user, on a Unix socket. It has no
    /// effect in a build without the feature `view`, and on systems without such sockets.
    pub socket: Setting<ViewSocket>,
    /// Whether peers may have snapshots, which know the cookie. It needs the feature `view`.
    pub remote: Setting<bool>,
}

/// Whether a node serves its snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViewSocket {
    /// To processes of the same user.
    #[default]
    On,
    /// To nobody.
    Off,
}

impl fmt::Display for ViewSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// Reads `[view]`.
pub(super) fn read(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> ViewSettings {
    let mut section = root.section(reader, "view");
    let socket = section.setting(reader, "socket");
    let remote = section.setting(reader, "remote");
    section.finish(reader);
    ViewSettings {
        socket: socket.unwrap_or_else(|| Setting::default(ViewSocket::On)),
        remote: remote.unwrap_or_else(|| Setting::default(false)),
    }
}
