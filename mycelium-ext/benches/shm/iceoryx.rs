//! The same by iceoryx2: a sample for each message, written where the other side reads it. Files
//! that all its processes share stay in `/dev/shm` and below `/tmp/iceoryx2`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

type Service = ipc::Service;

/// In one run both sides waited for an event for ever. One that does not come shall cost this, and
/// not the run.
const PATIENCE: Duration = Duration::from_millis(100);

/// One end: what it sends by, and what it receives by.
pub(super) struct End {
    publisher: Publisher<Service, [u8], ()>,
    subscriber: Subscriber<Service, [u8], ()>,
    /// Unless the waiting thread polls.
    events: Option<(Notifier<Service>, Listener<Service>)>,
    _node: Node<Service>,
}

impl End {
    /// For messages of up to `size` bytes. As many wait as a ring would hold.
    pub(super) fn new(
        mut socket: UnixStream,
        (size, ring): (usize, usize),
        looks: bool,
        child: bool,
    ) -> Self {
        let mut name = [0; 16];
        if child {
            socket.read_exact(&mut name).unwrap();
        } else {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            name = (now.as_nanos() ^ u128::from(std::process::id())).to_be_bytes();
            socket.write_all(&name).unwrap();
        }
        let name = u128::from_be_bytes(name);
        let named = |what| ServiceName::new(&format!("mycelium-bench-{name:x}-{what}")).unwrap();
        let (out, back) = if child { ("there", "here") } else { ("here", "there") };
        let waiting = (ring / size.max(1)).clamp(2, 4096);

        // It has no configuration file, which it would warn of.
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().create::<Service>().unwrap();
        let messages = |what| {
            let builder = node.service_builder(&named(what)).publish_subscribe::<[u8]>();
            let builder = builder.subscriber_max_buffer_size(waiting).enable_safe_overflow(false);
            builder.max_publishers(1).max_subscribers(1).open_or_create().unwrap()
        };
        let (outgoing, incoming) = (messages(out), messages(back));
        let publisher = outgoing.publisher_builder().initial_max_slice_len(size);
        let publisher = publisher.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
        let events = (!looks).then(|| {
            let events = |what| {
                let builder = node.service_builder(&named(what)).event();
                builder.max_notifiers(1).max_listeners(1).open_or_create().unwrap()
            };
            (
                events(out).notifier_builder().create().unwrap(),
                events(back).listener_builder().create().unwrap(),
            )
        });
        let end = Self {
            publisher: publisher.create().unwrap(),
            subscriber: incoming.subscriber_builder().create().unwrap(),
            events,
            _node: node,
        };
        // Both have their ends, before anything is sent.
        socket.write_all(&[0]).unwrap();
        socket.read_exact(&mut [0]).unwrap();
        end
    }

    pub(super) fn send(&mut self, bytes: &[u8], count: u64, batch: u64) {
        for number in 1..=count {
            let sample = self.publisher.loan_slice_uninit(bytes.len()).unwrap();
            assert_eq!(sample.write_from_slice(bytes).send().unwrap(), 1);
            if let Some((notifier, _)) = &self.events {
                if number % batch == 0 || number == count {
                    notifier.notify().unwrap();
                }
            }
        }
    }

    /// Looks at nothing of it.
    pub(super) fn receive(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            if self.subscriber.receive().unwrap().is_some() {
                left -= 1;
                continue;
            }
            match &self.events {
                None => std::hint::spin_loop(),
                Some((_, listener)) => {
                    listener.timed_wait(|_| {}, PATIENCE).unwrap();
                }
            }
        }
    }
}
