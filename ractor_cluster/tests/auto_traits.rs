//! What stock's types may be used for without saying so.

use std::panic::{RefUnwindSafe, UnwindSafe};

use ractor_cluster::node::node_session::NodeSessionState;
use ractor_cluster::NodeSessionMessage;

fn is_sync<T: Sync>() {}

fn is_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

/// It is the compiler that tests it.
#[test]
fn types_keep_the_auto_traits_that_stock_gives_them() {
    is_sync::<NodeSessionMessage>();
    is_unwind_safe::<NodeSessionState>();
}
