//! The forms in which a message travels, and types that choose them.

use std::sync::Arc;

use ractor::message::{ArcMessage, BoxedDowncastErr, BoxedMessage, MessageTrait};
use ractor::Message;

#[derive(Clone, Debug, PartialEq)]
struct Tick(u64);

#[cfg(feature = "cluster")]
impl Message for Tick {}

#[test]
fn the_shared_form_goes_into_a_box_and_comes_out() {
    let tick = Arc::new(Tick(1));
    let boxed = BoxedMessage::from(ArcMessage::new(tick.clone()));
    assert_eq!(format!("{boxed:?}"), "BoxedMessage(Shared)");

    let message = ArcMessage::try_from(boxed).unwrap();
    assert!(Arc::ptr_eq(&message.clone().downcast::<Tick>().unwrap(), &tick));

    // A copy, as long as others hold it.
    assert_eq!(Tick::from_boxed(message.into()).unwrap(), *tick);
    let moved = BoxedMessage::from(ArcMessage::new(tick));
    assert_eq!(Tick::from_boxed(moved).unwrap(), Tick(1));
}

#[test]
fn another_form_comes_back_from_the_conversion() {
    let local = Tick(2).box_message(&ractor::ActorId::Local(1)).unwrap();
    let back = ArcMessage::try_from(local).unwrap_err();
    assert_eq!(Tick::from_boxed(back).unwrap(), Tick(2));
}

#[test]
fn a_box_of_another_type_is_an_error() {
    let boxed = BoxedMessage::from(ArcMessage::new(Arc::new("no tick".to_owned())));
    assert_eq!(Tick::from_boxed(boxed).unwrap_err(), BoxedDowncastErr);
}

#[test]
fn an_erased_message_knows_its_type() {
    let erased: Arc<dyn MessageTrait> = Arc::new(Tick(3));
    assert!(erased.as_any().is::<Tick>());
    let erased: Arc<dyn MessageTrait + Send + Sync> = Arc::new(Tick(3));
    assert!(erased.as_any().is::<Tick>());
}

/// Without the feature no type boxes itself.
#[cfg(feature = "cluster")]
mod choosing {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use ractor::errors::UndeliveredReason;
    use ractor::message::{ArcMessage, BoxedDowncastErr, BoxedMessage, Shared};
    use ractor::{Actor, ActorProcessingErr, ActorRef, Message};

    use super::Tick;

    /// How a [`Chooser`] was asked, and what it is to answer.
    #[derive(Default)]
    struct Asked {
        by_value: AtomicUsize,
        by_arc: AtomicUsize,
        copies: AtomicUsize,
        answer: Mutex<Answer>,
    }

    #[derive(Default, Clone, Copy)]
    enum Answer {
        #[default]
        Shared,
        Owned,
        Another,
        Nothing,
    }

    /// A type that boxes itself.
    struct Chooser {
        price: u64,
        asked: Arc<Asked>,
    }

    impl Clone for Chooser {
        fn clone(&self) -> Self {
            self.asked.copies.fetch_add(1, Ordering::SeqCst);
            Self { price: self.price, asked: self.asked.clone() }
        }
    }

    impl Message for Chooser {
        fn box_message(self, _: &ractor::ActorId) -> Result<BoxedMessage, BoxedDowncastErr> {
            self.asked.by_value.fetch_add(1, Ordering::SeqCst);
            Ok(ArcMessage::new(Arc::new(self)).into())
        }

        fn box_arc(this: Arc<Self>, _: &ractor::ActorId) -> Result<BoxedMessage, BoxedDowncastErr> {
            this.asked.by_arc.fetch_add(1, Ordering::SeqCst);
            let answer = *this.asked.answer.lock().unwrap();
            match answer {
                Answer::Shared => Ok(ArcMessage::new(this).into()),
                Answer::Owned => Tick(this.price).box_message(&ractor::ActorId::Local(1)),
                Answer::Another => Ok(ArcMessage::new(Arc::new(Tick(this.price))).into()),
                Answer::Nothing => Err(BoxedDowncastErr),
            }
        }

        fn from_boxed(boxed: BoxedMessage) -> Result<Self, BoxedDowncastErr> {
            let Tick(price) = Tick::from_boxed(boxed)?;
            Ok(Self { price, asked: Arc::default() })
        }
    }

    #[derive(Default)]
    struct Reader;

    type Seen = tokio::sync::mpsc::UnboundedSender<(&'static str, u64, usize)>;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Reader {
        type Msg = Chooser;
        type State = Seen;
        type Arguments = Seen;

        async fn pre_start(
            &self,
            _: ActorRef<Chooser>,
            seen: Seen,
        ) -> Result<Seen, ActorProcessingErr> {
            Ok(seen)
        }

        async fn handle(
            &self,
            _: ActorRef<Chooser>,
            message: Chooser,
            seen: &mut Seen,
        ) -> Result<(), ActorProcessingErr> {
            Ok(seen.send(("owned", message.price, 0))?)
        }

        async fn handle_arc(
            &self,
            _: ActorRef<Chooser>,
            message: Shared<Chooser>,
            seen: &mut Seen,
        ) -> Result<(), ActorProcessingErr> {
            Ok(seen.send(("shared", message.price, std::ptr::from_ref(&*message) as usize))?)
        }
    }

    #[ractor::concurrency::test]
    async fn a_type_that_boxes_itself_is_asked_however_it_is_sent() {
        let asked = Arc::new(Asked::default());
        let chooser = |price| Chooser { price, asked: asked.clone() };
        let (seen_tx, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let (actor, handle) = Actor::spawn(None, Reader, seen_tx).await.unwrap();

        actor.cast(chooser(1)).unwrap();
        let second = Arc::new(chooser(2));
        actor.cast_arc(second.clone()).unwrap();
        *asked.answer.lock().unwrap() = Answer::Owned;
        actor.cast_arc(Arc::new(chooser(3))).unwrap();

        // What it makes that the actor cannot take comes back as it was.
        for (answer, reason) in [
            (Answer::Another, UndeliveredReason::WrongType),
            (Answer::Nothing, UndeliveredReason::NotShareable),
        ] {
            *asked.answer.lock().unwrap() = answer;
            let back = actor.cast_arc(second.clone()).unwrap_err();
            assert_eq!(back.reason(), reason);
            assert!(Arc::ptr_eq(&back.into_message(), &second));
        }

        actor.drain().unwrap();
        handle.await.unwrap();
        let (form, price, _) = seen.recv().await.unwrap();
        assert_eq!((form, price), ("shared", 1));
        let (form, price, at) = seen.recv().await.unwrap();
        assert_eq!((form, price, at), ("shared", 2, Arc::as_ptr(&second) as usize));
        let (form, price, _) = seen.recv().await.unwrap();
        assert_eq!((form, price), ("owned", 3));
        assert!(seen.recv().await.is_none());
        assert_eq!(asked.by_value.load(Ordering::SeqCst), 1);
        assert_eq!(asked.by_arc.load(Ordering::SeqCst), 4);
        assert_eq!(asked.copies.load(Ordering::SeqCst), 0);

        // A stopped actor gives the very message back, in whichever form it was to go.
        for answer in [Answer::Shared, Answer::Owned] {
            *asked.answer.lock().unwrap() = answer;
            let back = actor.cast_arc(second.clone()).unwrap_err();
            assert_eq!(back.reason(), UndeliveredReason::Stopped);
            assert!(Arc::ptr_eq(&back.into_message(), &second));
        }
    }
}
