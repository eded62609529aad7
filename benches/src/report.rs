//! One table out of what was measured.

mod allocations;
mod folder;
mod instructions;
mod medians;
mod resident;
mod rows;

use allocations::kept_allocations;
pub use allocations::{Allocations, keep_allocations};
pub use folder::{copy_plots, forget_last_run, target};
pub use instructions::instructions;
pub use medians::times;
pub use resident::resident;
pub use rows::{Cell, Row, table};

/// The variable in which the report tells the benches that it collects what they measure.
pub const BY_REPORT: &str = "MYCELIUM_REPORT";
/// Its value for a run that only shows whether all of it works.
pub const QUICK: &str = "quick";
/// Its value for a run that measures.
pub const FULL: &str = "full";

/// Everything that was measured, and these rows: a table for the hot path, whose contenders are
/// actor libraries and channels, and one for the ways to send to many.
pub fn whole_table(more: &[Row]) -> String {
    let mut rows: Vec<_> = crate::Case::all().into_iter().filter_map(medians::row).collect();
    rows.extend(kept_allocations().rows());
    rows.extend_from_slice(more);
    let (hot, many): (Vec<_>, Vec<_>) = rows.into_iter().partition(Row::is_hot_path);
    format!("{}\n{}", table(&hot), table(&many))
}
