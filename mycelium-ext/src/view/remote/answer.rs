//! Answers as bytes of a bounded length.

use std::io;

use serde::{Deserialize, Serialize};

use super::LARGEST_ANSWER;
use crate::view::Snapshot;

/// The answer to a question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Snapshot(Box<Snapshot>),
    /// Too many were given in this second.
    Busy,
    /// The snapshot is larger than an answer may be.
    TooLarge,
    /// The question is none.
    Unreadable,
}

impl Answer {
    /// As JSON. A snapshot that is too large takes no more memory than an answer may have.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bounded = Bounded(Vec::new());
        match serde_json::to_writer(&mut bounded, self) {
            Ok(()) => bounded.0,
            Err(_) => br#""too_large""#.to_vec(),
        }
    }

    /// Out of JSON; `None` for other bytes, and for too many.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= LARGEST_ANSWER).then(|| serde_json::from_slice(bytes).ok())?
    }
}

/// Takes as many bytes as an answer may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_ANSWER {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::collect::Subject;
    use crate::view::{GroupView, Request, Watcher};

    fn snapshot() -> Snapshot {
        let subject = Subject { name: "a@b".to_owned(), addresses: Vec::new() };
        Snapshot::take(&subject, &mut Watcher::default(), &Request::hello())
    }

    #[test]
    fn an_answer_survives_the_way() {
        let sent = snapshot();
        let bytes = Answer::Snapshot(Box::new(sent.clone())).to_bytes();
        let came = Answer::from_bytes(&bytes);
        assert!(matches!(&came, Some(Answer::Snapshot(it)) if **it == sent), "{came:?}");
        for word in [Answer::Busy, Answer::TooLarge, Answer::Unreadable] {
            let came = Answer::from_bytes(&word.to_bytes()).expect("an answer");
            assert_eq!(format!("{came:?}"), format!("{word:?}"));
        }
        assert!(Answer::from_bytes(b"true").is_none());
        assert!(Answer::from_bytes(b"{\"snapshot\":{}}").is_none());
    }

    #[test]
    fn an_answer_has_a_bound_at_both_ends() {
        let mut large = snapshot();
        let group = GroupView {
            scope: String::new(),
            group: "g".repeat(LARGEST_ANSWER / 4),
            local: 1,
            remote: 0,
        };
        large.groups = vec![group; 5];
        let bytes = Answer::Snapshot(Box::new(large.clone())).to_bytes();
        assert!(matches!(Answer::from_bytes(&bytes), Some(Answer::TooLarge)), "{}", bytes.len());
        let all = serde_json::to_vec(&Answer::Snapshot(Box::new(large))).expect("JSON");
        assert!(Answer::from_bytes(&all).is_none(), "a peer that does not keep to it");
    }
}
