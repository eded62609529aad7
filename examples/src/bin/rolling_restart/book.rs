//! The book holds the orders, the clerk of each, and the processes that had the desk. It has a
//! fence, and finds what was there twice.

use std::collections::HashSet;

use mycelium_ext::singleton::{Fence, FencingNumber};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::{BytesConvertable, RactorClusterMessage};

/// What may be held by one node at a time.
#[derive(BytesConvertable, Clone, Copy, Debug)]
pub(crate) enum Post {
    /// The singleton, which writes into the book.
    Clerk,
    /// A name that all nodes ask for.
    Desk,
}

#[derive(RactorClusterMessage)]
pub(crate) enum Write {
    /// Writes an order for the clerk with this number; whether it is in the book.
    #[rpc]
    Order(FencingNumber, u64, RpcReplyPort<bool>),
    /// A post is taken, with this number.
    #[rpc]
    Begins(Post, FencingNumber, RpcReplyPort<()>),
    /// It is given up.
    #[rpc]
    Ends(Post, FencingNumber, RpcReplyPort<()>),
    /// What is in the book.
    #[rpc]
    Account(RpcReplyPort<Account>),
}

/// What is in the book.
#[derive(BytesConvertable, Clone, Debug)]
pub(crate) struct Account {
    /// Orders that were written, each once.
    pub(crate) written: u64,
    /// The sum of their numbers.
    pub(crate) sum: u64,
    /// How often an order came that was in the book already.
    pub(crate) again: u64,
    /// How often a clerk with an outdated number was refused.
    pub(crate) refused: u64,
    pub(crate) clerk: Held,
    pub(crate) desk: Held,
}

/// Who held a post.
#[derive(BytesConvertable, Clone, Debug, Default)]
pub(crate) struct Held {
    /// Whether somebody has it.
    pub(crate) now: bool,
    /// How many had it, one after the other.
    pub(crate) holders: u64,
    /// How often one began while another one had it.
    pub(crate) twice: u64,
    /// How often the number was not higher than the last.
    pub(crate) lower: u64,
}

/// A post, as the book sees it.
#[derive(Default)]
struct Watched {
    held: Held,
    now: HashSet<FencingNumber>,
    newest: Option<FencingNumber>,
}

impl Watched {
    fn begins(&mut self, number: FencingNumber) {
        self.held.holders += 1;
        self.held.twice += u64::from(!self.now.is_empty());
        self.held.lower += u64::from(self.newest >= Some(number));
        self.newest = self.newest.max(Some(number));
        self.now.insert(number);
    }

    fn ends(&mut self, number: FencingNumber) {
        self.now.remove(&number);
    }

    fn held(&self) -> Held {
        Held { now: !self.now.is_empty(), ..self.held.clone() }
    }
}

pub(crate) struct Book;

#[derive(Default)]
pub(crate) struct Pages {
    fence: Fence,
    orders: HashSet<u64>,
    again: u64,
    refused: u64,
    clerk: Watched,
    desk: Watched,
}

impl Pages {
    fn post(&mut self, post: Post) -> &mut Watched {
        match post {
            Post::Clerk => &mut self.clerk,
            Post::Desk => &mut self.desk,
        }
    }
}

impl Actor for Book {
    type Msg = Write;
    type State = Pages;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Write>, (): ()) -> Result<Pages, ActorProcessingErr> {
        Ok(Pages::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Write>,
        message: Write,
        pages: &mut Pages,
    ) -> Result<(), ActorProcessingErr> {
        // Who does not wait for the answer any more asks again.
        match message {
            Write::Order(number, order, reply) => {
                let is_admitted = pages.fence.admit(number).is_ok();
                pages.refused += u64::from(!is_admitted);
                pages.again += u64::from(is_admitted && !pages.orders.insert(order));
                let _ = reply.send(is_admitted);
            }
            Write::Begins(post, number, reply) => {
                pages.post(post).begins(number);
                let _ = reply.send(());
            }
            Write::Ends(post, number, reply) => {
                pages.post(post).ends(number);
                let _ = reply.send(());
            }
            Write::Account(reply) => {
                let account = Account {
                    written: pages.orders.len() as u64,
                    sum: pages.orders.iter().sum(),
                    again: pages.again,
                    refused: pages.refused,
                    clerk: pages.clerk.held(),
                    desk: pages.desk.held(),
                };
                let _ = reply.send(account);
            }
        }
        Ok(())
    }
}
