//! Tells tasks that something has changed.
//!
//! Tokio wakes the tasks that wait for one channel of `watch` in a random order. Builds that
//! simulate have a channel for each of them, and wake them in the order in which they subscribed.

use tokio::sync::watch;

/// Tells those who have subscribed that something has changed, and not what.
#[derive(Debug, Default)]
pub struct Changed {
    #[cfg(not(feature = "simulation"))]
    sender: watch::Sender<()>,
    #[cfg(feature = "simulation")]
    senders: std::sync::Mutex<Vec<watch::Sender<()>>>,
}

#[cfg(not(feature = "simulation"))]
impl Changed {
    /// Notices what changes from here on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.sender.subscribe()
    }

    /// Something has changed.
    pub fn tell(&self) {
        self.sender.send_replace(());
    }
}

#[cfg(feature = "simulation")]
impl Changed {
    /// Those whose receivers are still there.
    fn senders(&self) -> std::sync::MutexGuard<'_, Vec<watch::Sender<()>>> {
        let mut senders = self.senders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        senders.retain(|sender| !sender.is_closed());
        senders
    }

    /// Notices what changes from here on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        let (sender, receiver) = watch::channel(());
        self.senders().push(sender);
        receiver
    }

    /// Something has changed.
    pub fn tell(&self) {
        self.senders().iter().for_each(|sender| sender.send_replace(()));
    }
}

#[cfg(test)]
mod tests {
    use super::Changed;

    #[tokio::test]
    async fn each_reader_notices_what_changes_after_it_has_subscribed() {
        let changed = Changed::default();
        changed.tell();
        let mut readers = [changed.subscribe(), changed.subscribe()];
        drop(changed.subscribe());
        assert!(readers.iter().all(|it| !it.has_changed().expect("it is there")));
        changed.tell();
        for reader in &mut readers {
            reader.changed().await.expect("it is there");
            assert!(!reader.has_changed().expect("it is there"));
        }
        drop(changed);
        assert!(readers[0].changed().await.is_err());
    }

    /// Otherwise all would have to come in this order by chance.
    #[cfg(feature = "simulation")]
    #[tokio::test]
    async fn readers_wake_in_the_order_in_which_they_subscribed() {
        use std::sync::{Arc, Mutex};

        let (changed, order) = (Changed::default(), Arc::<Mutex<Vec<usize>>>::default());
        let task = |number| {
            let (mut reader, order) = (changed.subscribe(), order.clone());
            tokio::spawn(async move {
                reader.changed().await.expect("it is there");
                order.lock().expect("no task panics").push(number);
            })
        };
        let tasks: Vec<_> = (0..32).map(task).collect();
        // All of them wait.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        changed.tell();
        for task in tasks {
            task.await.expect("it ends");
        }
        assert!(order.lock().expect("no task panics").is_sorted());
    }
}
