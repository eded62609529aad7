//! What an output port's subscribers cost.

use std::sync::Arc;

use crate::fan_out::{Publish, Starting, Way};
use crate::readers::{fork, stock, stock_arc};
use crate::window::Window;

pub(crate) const WAYS: [Way; 4] = [
    ("stock", stock_send),
    ("stock Arc", stock_send_of_arc),
    ("fork", fork_send),
    ("fork Arc", fork_send_arc),
];

/// `$publish` sends what `$wrap` makes of the payload to readers that came by `$subscribe`.
macro_rules! way {
    ($name:ident, $ractor:ident, $readers:ident, $subscribe:ident, $publish:ident, $wrap:expr) => {
        fn $name(readers: usize, window: Arc<Window>) -> Starting {
            Box::pin(async move {
                let readers = $readers::Readers::start(readers, &window).await;
                let port = $ractor::OutputPort::default();
                for reader in &readers.0 {
                    port.$subscribe(reader.clone(), Some);
                }
                Arc::new(move |payload: Vec<u8>| {
                    // Captured as well, since they stop when they are dropped.
                    let _readers = &readers;
                    port.$publish($wrap(payload));
                }) as Publish
            })
        }
    };
}

way!(stock_send, stock_ractor, stock, subscribe, send, std::convert::identity);
way!(stock_send_of_arc, stock_ractor, stock_arc, subscribe, send, Arc::new);
way!(fork_send, ractor, fork, subscribe, send, std::convert::identity);
way!(fork_send_arc, ractor, fork, subscribe_arc, send_arc, Arc::new);
