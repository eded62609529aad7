//! Answers questions of peers: an actor takes them, and a thread makes the answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};

use super::answer::Answer;
use super::{SCOPE, ViewMessage};
use crate::node::StartError;
use crate::view::collect::Subject;
use crate::view::server::LARGEST_REQUEST;
use crate::view::{Request, Snapshot, Watcher};

/// The most answers in a second, to all peers together.
pub(super) const MOST_ANSWERS: u32 = 10;
/// The most actors of an answer.
const MOST_ACTORS: usize = 10_000;
/// Questions that wait. Further ones are answered at once: the node is busy.
const WAITING: usize = 16;
/// For so long after a question actors are looked at, for the time that their handlers run.
const LINGER: Duration = Duration::from_secs(60);

type Question = (Vec<u8>, RpcReplyPort<Vec<u8>>);

/// Shows a node to its peers until it is dropped.
#[derive(Debug)]
pub(crate) struct RemoteView(ActorRef<ViewMessage>);

impl RemoteView {
    /// Shows the node of this full name, which listens at these addresses.
    pub(crate) async fn start(name: &str, addresses: Vec<String>) -> Result<Self, StartError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| StartError::Server(error);
        let subject = Subject { name: name.to_owned(), addresses };
        let (asked, questions) = sync_channel(WAITING);
        let answering = Answering::new(subject);
        let thread = std::thread::Builder::new().name("mycelium-remote-view".to_owned());
        // It ends with the actor, whose end of the channel is dropped then.
        thread.spawn(move || answering.run(&questions)).map_err(|error| failed(error.into()))?;
        let mailbox = Mailbox::bounded(WAITING, Overflow::Reject);
        let config = ActorConfig::default().with_mailbox(mailbox);
        let started = Asked::spawn_with_config(None, Asked(asked), (), config).await;
        let (actor, _) = started.map_err(|error| failed(error.into()))?;
        pg::join_scoped(SCOPE.to_owned(), name.to_owned(), vec![actor.get_cell()]);
        Ok(Self(actor))
    }
}

impl Drop for RemoteView {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

/// Hands questions to the thread.
struct Asked(SyncSender<Question>);

ractor::library_actor! {
    impl Actor for Asked {
        type Msg = ViewMessage;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ActorRef<ViewMessage>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: ActorRef<ViewMessage>,
            ViewMessage::Ask(request, reply): ViewMessage,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            match self.0.try_send((request, reply)) {
                Ok(()) => {}
                // The one who asked may have given up.
                Err(TrySendError::Full((_, reply))) => _ = reply.send(Answer::Busy.to_bytes()),
                Err(TrySendError::Disconnected(_)) => return Err("the view's thread ended".into()),
            }
            Ok(())
        }
    }
}

/// What the thread knows.
struct Answering {
    subject: Subject,
    watcher: Watcher,
    /// When the last question came.
    asked: Option<Instant>,
    /// The second that runs, and the answers in it.
    second: (Instant, u32),
}

impl Answering {
    fn new(subject: Subject) -> Self {
        let second = (Instant::now(), 0);
        Self { subject, watcher: Watcher::default(), asked: None, second }
    }

    fn run(mut self, questions: &Receiver<Question>) {
        loop {
            let is_watched = self.asked.is_some_and(|asked| asked.elapsed() < LINGER);
            let question = if is_watched {
                let next = self.watcher.next_sample().saturating_duration_since(Instant::now());
                questions.recv_timeout(next)
            } else {
                questions.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match question {
                Ok((request, reply)) if !reply.is_closed() => {
                    let answer = self.answer(&request, Instant::now());
                    // The one who asked may have given up.
                    _ = reply.send(answer.to_bytes());
                }
                // The one who asked has given up.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => _ = self.watcher.sample(|_, _| ()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&mut self, request: &[u8], now: Instant) -> Answer {
        let (begin, given) = &mut self.second;
        if now.saturating_duration_since(*begin) >= Duration::from_secs(1) {
            (*begin, *given) = (now, 0);
        }
        if *given >= MOST_ANSWERS {
            return Answer::Busy;
        }
        *given += 1;
        let read = (request.len() <= LARGEST_REQUEST).then(|| serde_json::from_slice(request).ok());
        let Some(mut request): Option<Request> = read.flatten() else { return Answer::Unreadable };
        self.asked = Some(now);
        request.actors = request.actors.min(MOST_ACTORS);
        let snapshot = Snapshot::take(&self.subject, &mut self.watcher, &request);
        Answer::Snapshot(Box::new(snapshot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answering() -> Answering {
        Answering::new(Subject { name: "a@b".to_owned(), addresses: Vec::new() })
    }

    #[test]
    fn so_many_answers_are_given_in_a_second_and_no_more() {
        let mut answering = answering();
        let begin = Instant::now();
        let hello = serde_json::to_vec(&Request::hello()).expect("JSON");
        for second in 1..4 {
            let now = begin + Duration::from_secs(second);
            for number in 0..3 * MOST_ANSWERS {
                let is_given = matches!(answering.answer(&hello, now), Answer::Snapshot(_));
                assert_eq!(is_given, number < MOST_ANSWERS, "{number} in second {second}");
            }
        }
    }

    #[test]
    fn what_is_no_question_is_answered_with_that() {
        let mut answering = answering();
        let long = format!("{{\"filter\":\"{}\"}}", "x".repeat(LARGEST_REQUEST));
        for bytes in [&b""[..], b"{", b"7", b"\xff", long.as_bytes()] {
            let answer = answering.answer(bytes, Instant::now());
            assert!(matches!(answer, Answer::Unreadable), "{bytes:?}: {answer:?}");
        }
        assert!(matches!(answering.answer(b"{}", Instant::now()), Answer::Snapshot(_)));
    }
}
