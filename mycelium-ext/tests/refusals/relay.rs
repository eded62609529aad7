//! A relay between two nodes that holds back what the dialling one sends.

use std::path::PathBuf;
use std::sync::Arc;

use mycelium_ext::address::Address;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::wire;

/// What of it is passed on.
#[derive(Clone, Copy)]
pub enum Passes {
    All,
    FirstFrame,
    Nothing,
}

/// The listener of a node.
pub enum To {
    Tcp(String),
    Unix(PathBuf),
}

/// Takes one connection. It ends when it is dropped.
pub struct Relay {
    pub address: Address,
    task: JoinHandle<()>,
    /// The node that listens has the connection, and has answered the first frame if that was
    /// passed on.
    reached: Arc<Notify>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    pub async fn new(to: To, passes: Passes) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = door.local_addr().expect("it is bound");
        let address = format!("tcp://{address}").parse().expect("an address");
        let reached = Arc::new(Notify::new());
        let reaches = reached.clone();
        let task = tokio::spawn(async move {
            let (dialler, _) = door.accept().await.expect("it is dialled");
            match to {
                To::Tcp(address) => {
                    let node = TcpStream::connect(address).await.expect("it listens");
                    run(dialler, node, passes, &reaches).await;
                }
                To::Unix(path) => {
                    let node = UnixStream::connect(path).await.expect("it listens");
                    run(dialler, node, passes, &reaches).await;
                }
            }
        });
        Self { address, task, reached }
    }

    /// Waits until the node that listens has the connection.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }
}

async fn run(
    dialler: TcpStream,
    node: impl AsyncRead + AsyncWrite,
    passes: Passes,
    reached: &Notify,
) {
    let (mut from_dialler, mut to_dialler) = tokio::io::split(dialler);
    let (mut from_node, mut to_node) = tokio::io::split(node);
    let there = async {
        match passes {
            Passes::All => {
                _ = tokio::io::copy(&mut from_dialler, &mut to_node).await;
            }
            Passes::FirstFrame => {
                let first = wire::frame(&mut from_dialler).await.expect("it says hello");
                to_node.write_all(&first).await.expect("the node takes it");
            }
            Passes::Nothing => reached.notify_one(),
        }
        // And holds the connection.
        std::future::pending::<()>().await;
    };
    let back = async {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from_node.read(&mut buffer).await {
            reached.notify_one();
            if to_dialler.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
        _ = to_dialler.shutdown().await;
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
