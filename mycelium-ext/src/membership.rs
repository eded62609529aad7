//! The members of a cluster: who they are, which are alive, and what changes.
//!
//! A node with `[cluster]` in its configuration, or with [`NodeBuilder::cluster`], gossips with the
//! others of its cluster. It begins with one seed, or is one, and finds all others. Sessions are
//! kept with all members that are alive: the node with the smaller full name dials, and the other
//! one when there is no session after ten seconds. Peers of `[nodes.X]` are dialled as before,
//! and stock nodes are reached that way alone.
//!
//! ```
//! use mycelium_ext::config::ClusterSettings;
//! use mycelium_ext::node::Node;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // The first of a cluster is a seed for the others.
//!     let node = |name: &str| Node::builder(name).cookie("16 random bytes or more");
//!     let first = node("first").cluster(ClusterSettings::default()).start().await?;
//!     let cluster = first.membership().ok_or("it has a cluster")?;
//!
//!     let seed = cluster.address().to_string();
//!     let settings = ClusterSettings::default().with_seed(&seed)?;
//!     let worker = node("worker").cluster(settings).start().await?;
//!     for member in cluster.wait_for(|members| members.len() == 2).await.iter() {
//!         println!("{} is {} ({:?})", member.name, member.state, member.phi);
//!     }
//!     worker.stop().await;
//!     first.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! [`Membership::events`] has what changes from then on.
//!
//! # Two voices, one verdict
//!
//! The gossip hears a member while its heart beats; its session hears it while it has a link, and a
//! link is closed when nothing came by it for `node.limits.silence_timeout`. A member is alive when
//! either hears it, and down when neither does. So neither a process that is suspended for a few
//! seconds nor a machine under full load is taken for dead, and one that is killed is down as soon
//! as the gossip misses it, since its links close at once. What is left of a session with a member
//! that is down ends then, with the reason `member_down`.
//!
//! `docs/membership.md` says what a partition means, and what comes of each bad input.
//!
//! [`NodeBuilder::cluster`]: crate::node::NodeBuilder::cluster

#[cfg(feature = "simulation")]
pub use mycelium_membership::{Datagrams, Receiving};
pub use mycelium_membership::{
    Incarnation, Member, MemberEvent, MemberState, Membership, MembershipError, Refused,
};
