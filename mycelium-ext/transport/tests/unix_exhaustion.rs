//! A process without descriptors, which is why this test has one of its own.
#![allow(unreachable_pub)]
#![cfg(unix)]

#[path = "transports/log.rs"]
mod log;

use std::fs::File;
use std::os::unix::net::UnixStream;

use mycelium_transport::UnixSocketListener;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[tokio::test]
async fn a_listener_without_descriptors_says_so_once_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixSocketListener::at(folder.path().join("node.sock")).unwrap();
    let log = log::Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let _client = UnixStream::connect(listener.path()).unwrap();

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    // Time goes on by itself whenever there is nothing to do but wait.
    tokio::time::pause();
    let mut accept = Box::pin(listener.accept());
    let pauses = tokio::time::sleep(std::time::Duration::from_secs(10));
    tokio::select! {
        accepted = &mut accept => panic!("{accepted:?}"),
        () = pauses => {}
    }
    drop(hoard);
    accept.await.unwrap();
    assert_eq!(log.lines_with("no connection can be accepted for now"), 1);
}
