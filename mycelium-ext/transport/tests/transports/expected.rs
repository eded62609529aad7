//! Sockets whose reader expects an answer.

use bytes::Bytes;

use crate::conformance::greet;
use crate::ends::{Ends, once, watched};
use crate::kinds;

/// Also before the runtime has had a turn to see that it is there.
async fn looked_for(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(1000);
    greet(&mut a, &mut b).await;
    assert!(once(a.frame()).await.is_none());
    b.queue("news");
    b.sink.flush().await.unwrap();
    assert!(once(a.frame()).await.is_none(), "nobody looks for it");
    assert_eq!(a.frame().await, Some(Bytes::from("news")));
    assert!(once(a.frame()).await.is_none());

    a.queue("a call");
    assert!(a.sink.expect_answer());
    a.sink.flush().await.unwrap();
    b.queue("an answer");
    b.sink.flush().await.unwrap();
    assert_eq!(once(a.frame()).await, Some(Some(Bytes::from("an answer"))));
}

/// On a new link: where polling took long, it is not done every time.
async fn end_is_looked_for(ends: Ends) {
    let (mut a, mut b, _keep) = ends.split(1000);
    greet(&mut a, &mut b).await;
    assert!(once(a.frame()).await.is_none());
    assert!(a.sink.expect_answer());
    drop(b);
    assert_eq!(once(a.frame()).await, Some(None));
}

#[tokio::test]
async fn an_expected_answer_is_looked_for_by_tcp() {
    watched(looked_for(kinds::tcp().await)).await;
    watched(end_is_looked_for(kinds::tcp().await)).await;
}

#[tokio::test]
async fn an_expected_answer_is_looked_for_by_unix() {
    watched(looked_for(kinds::unix().await)).await;
    watched(end_is_looked_for(kinds::unix().await)).await;
}
