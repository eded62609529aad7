use std::time::Duration;

use tokio::time::timeout;

use super::*;

/// Far above what any step takes.
const HANG: Duration = Duration::from_secs(60);

async fn relayed() -> (Relay, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let relay = Relay::open().await.expect("a free port");
    relay.lead_to(listener.local_addr().ok());
    (relay, listener)
}

/// A connection through a relay, and its other end.
async fn through(relay: &Relay, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let near = TcpStream::connect(relay.address).await.expect("it listens");
    let (far, _) = listener.accept().await.expect("it is connected");
    (near, far)
}

async fn read(stream: &mut TcpStream) -> Option<u8> {
    timeout(HANG, stream.read_u8()).await.expect("it comes or ends").ok()
}

#[tokio::test]
async fn bytes_go_both_ways_until_it_is_cut() {
    let (relay, listener) = relayed().await;
    let (mut near, mut far) = through(&relay, &listener).await;
    near.write_all(&[1]).await.expect("it is open");
    assert_eq!(read(&mut far).await, Some(1));
    far.write_all(&[2]).await.expect("it is open");
    assert_eq!(read(&mut near).await, Some(2));
    relay.cut();
    assert_eq!((read(&mut near).await, read(&mut far).await), (None, None));
    let (mut near, mut far) = through(&relay, &listener).await;
    near.write_all(&[3]).await.expect("it is open");
    assert_eq!(read(&mut far).await, Some(3));
}

#[tokio::test]
async fn what_is_held_comes_later() {
    let (relay, listener) = relayed().await;
    let (mut near, mut far) = through(&relay, &listener).await;
    relay.hold(true);
    near.write_all(&[1]).await.expect("it is open");
    let mut nothing = [0];
    // The relay has as much time as it needs to get it wrong: other connections go through it
    // meanwhile.
    let other = TcpStream::connect(relay.address).await.expect("it listens");
    assert!(listener.accept().await.is_ok());
    assert!(far.try_read(&mut nothing).is_err());
    relay.hold(false);
    assert_eq!(read(&mut far).await, Some(1));
    drop(other);
}

#[tokio::test]
async fn while_it_is_parted_nobody_gets_through() {
    let (relay, listener) = relayed().await;
    let (mut near, _far) = through(&relay, &listener).await;
    relay.part(true);
    assert_eq!(read(&mut near).await, None);
    let mut refused = TcpStream::connect(relay.address).await.expect("it listens");
    assert_eq!(read(&mut refused).await, None);
    relay.part(false);
    let (mut near, mut far) = through(&relay, &listener).await;
    far.write_all(&[1]).await.expect("it is open");
    assert_eq!(read(&mut near).await, Some(1));
}

#[tokio::test]
async fn it_leads_where_it_is_told() {
    let (relay, listener) = relayed().await;
    let (mut near, _far) = through(&relay, &listener).await;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    relay.lead_to(other.local_addr().ok());
    assert_eq!(read(&mut near).await, None);
    let (mut near, mut far) = through(&relay, &other).await;
    far.write_all(&[1]).await.expect("it is open");
    assert_eq!(read(&mut near).await, Some(1));
}
