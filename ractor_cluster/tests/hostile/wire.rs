//! The messages of the wire protocol, written from its description: upstream's as far as they are
//! needed here, and the fork's.

use prost::{Message, Oneof};

/// A frame.
#[derive(Clone, PartialEq, Message)]
pub struct Network {
    #[prost(oneof = "Body", tags = "1, 2, 3, 1000")]
    pub body: Option<Body>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Body {
    #[prost(message, tag = "1")]
    Auth(Auth),
    #[prost(message, tag = "2")]
    Node(Node),
    #[prost(message, tag = "3")]
    Control(Control),
    #[prost(message, tag = "1000")]
    Ours(Ours),
}

#[derive(Clone, PartialEq, Message)]
pub struct Auth {
    #[prost(oneof = "AuthBody", tags = "1, 2, 3, 4, 5, 6")]
    pub body: Option<AuthBody>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum AuthBody {
    #[prost(message, tag = "1")]
    Name(Name),
    #[prost(message, tag = "2")]
    ServerStatus(ServerStatus),
    #[prost(message, tag = "3")]
    ClientStatus(ClientStatus),
    #[prost(message, tag = "4")]
    Challenge(Challenge),
    #[prost(message, tag = "5")]
    Reply(ChallengeReply),
    #[prost(message, tag = "6")]
    Ack(ChallengeAck),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Flags {
    #[prost(uint32, tag = "1")]
    pub version: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Name {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub flags: Option<Flags>,
    #[prost(string, tag = "3")]
    pub connection_string: String,
    #[prost(uint64, tag = "4")]
    pub connection_id: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct ServerStatus {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct ClientStatus {
    #[prost(bool, tag = "1")]
    pub status: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Challenge {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub flags: Option<Flags>,
    #[prost(uint32, tag = "3")]
    pub challenge: u32,
    #[prost(string, tag = "4")]
    pub connection_string: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ChallengeReply {
    #[prost(uint32, tag = "1")]
    pub challenge: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ChallengeAck {
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Node {
    #[prost(oneof = "NodeBody", tags = "1, 2, 3")]
    pub body: Option<NodeBody>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum NodeBody {
    #[prost(message, tag = "1")]
    Cast(Cast),
    #[prost(message, tag = "2")]
    Call(Call),
    #[prost(message, tag = "3")]
    Reply(CallReply),
}

#[derive(Clone, PartialEq, Message)]
pub struct Cast {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub what: Vec<u8>,
    #[prost(string, tag = "3")]
    pub variant: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Call {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub what: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub tag: u64,
    #[prost(uint64, optional, tag = "4")]
    pub timeout_ms: Option<u64>,
    #[prost(string, tag = "5")]
    pub variant: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct CallReply {
    #[prost(uint64, tag = "1")]
    pub to: u64,
    #[prost(uint64, tag = "2")]
    pub tag: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub what: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Control {
    #[prost(oneof = "ControlBody", tags = "3, 4, 1, 2, 5, 6, 7, 8, 9")]
    pub body: Option<ControlBody>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum ControlBody {
    #[prost(message, tag = "1")]
    Spawn(Spawn),
    #[prost(message, tag = "2")]
    Terminate(Terminate),
    #[prost(message, tag = "3")]
    Ping(Ping),
    #[prost(message, tag = "4")]
    Pong(Pong),
    #[prost(message, tag = "5")]
    PgJoin(PgJoin),
    #[prost(message, tag = "6")]
    PgLeave(PgLeave),
    #[prost(message, tag = "7")]
    EnumerateNodeSessions(Name),
    #[prost(message, tag = "8")]
    NodeSessions(NodeSessions),
    #[prost(message, tag = "9")]
    Ready(Ready),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Ping {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Pong {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Spawn {
    #[prost(message, repeated, tag = "1")]
    pub actors: Vec<Actor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Terminate {
    #[prost(uint64, repeated, tag = "1")]
    pub ids: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NodeSessions {
    #[prost(message, repeated, tag = "1")]
    pub sessions: Vec<Name>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PgJoin {
    #[prost(string, tag = "1")]
    pub group: String,
    #[prost(message, repeated, tag = "2")]
    pub actors: Vec<Actor>,
    #[prost(string, tag = "3")]
    pub scope: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct PgLeave {
    #[prost(string, tag = "1")]
    pub group: String,
    #[prost(message, repeated, tag = "2")]
    pub actors: Vec<Actor>,
    #[prost(string, tag = "3")]
    pub scope: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Actor {
    #[prost(uint64, tag = "1")]
    pub pid: u64,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Ready {}

/// A frame of the fork's.
#[derive(Clone, PartialEq, Message)]
pub struct Ours {
    #[prost(oneof = "Frame", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 23")]
    pub frame: Option<Frame>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Frame {
    #[prost(message, tag = "1")]
    Hello(Hello),
    #[prost(message, tag = "2")]
    Announcement(Announcement),
    #[prost(message, tag = "3")]
    Settled(Settled),
    #[prost(message, tag = "4")]
    Envelope(Envelope),
    #[prost(message, tag = "5")]
    Acknowledgement(Acknowledgement),
    #[prost(message, tag = "6")]
    Attach(Attach),
    #[prost(message, tag = "7")]
    AttachChallenge(AttachChallenge),
    #[prost(message, tag = "8")]
    AttachProof(AttachProof),
    #[prost(message, tag = "9")]
    AttachAccepted(AttachAccepted),
    #[prost(message, tag = "15")]
    Proof(Proof),
    #[prost(message, tag = "23")]
    Refused(Refused),
}

#[derive(Clone, PartialEq, Message)]
pub struct Refused {
    #[prost(uint32, tag = "1")]
    pub code: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Hello {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub nonce: Vec<u8>,
    #[prost(string, tag = "3")]
    pub channel: String,
    #[prost(bool, tag = "4")]
    pub bound: bool,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub incarnation: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Proof {
    #[prost(bytes = "vec", tag = "1")]
    pub proof: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Announcement {
    #[prost(string, tag = "1")]
    pub release: String,
    #[prost(uint64, optional, tag = "2")]
    pub number: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub machine: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub process: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "5")]
    pub share: Vec<u8>,
    #[prost(string, optional, tag = "6")]
    pub unix_socket: Option<String>,
    #[prost(int32, tag = "7")]
    pub preference: i32,
    #[prost(uint64, optional, tag = "12")]
    pub max_frame: Option<u64>,
    #[prost(bool, tag = "13")]
    pub lanes: bool,
    #[prost(uint32, optional, tag = "14")]
    pub credits: Option<u32>,
    #[prost(uint32, optional, tag = "15")]
    pub ends: Option<u32>,
    #[prost(uint32, optional, tag = "16")]
    pub traces: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Settled {}

#[derive(Clone, PartialEq, Message)]
pub struct Envelope {
    #[prost(uint32, tag = "1")]
    pub lane: u32,
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    #[prost(uint64, tag = "3")]
    pub acknowledged: u64,
    #[prost(oneof = "Enveloped", tags = "4, 5, 6, 8, 9, 10")]
    pub body: Option<Enveloped>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Enveloped {
    #[prost(message, tag = "4")]
    Node(Node),
    #[prost(message, tag = "5")]
    Control(Control),
    #[prost(message, tag = "6")]
    Preferences(Preferences),
    #[prost(message, tag = "8")]
    Mailboxes(Mailboxes),
    #[prost(message, tag = "9")]
    Credits(Credits),
    #[prost(message, tag = "10")]
    Ends(Ends),
}

#[derive(Clone, PartialEq, Message)]
pub struct Ends {
    #[prost(message, repeated, tag = "1")]
    pub actors: Vec<ActorEnd>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ActorEnd {
    #[prost(uint64, tag = "1")]
    pub pid: u64,
    #[prost(int32, tag = "2")]
    pub kind: i32,
    /// A text, which a client may write as any bytes.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub text: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Mailboxes {
    #[prost(message, repeated, tag = "1")]
    pub actors: Vec<ActorMailbox>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct ActorMailbox {
    #[prost(uint64, tag = "1")]
    pub pid: u64,
    #[prost(uint64, tag = "2")]
    pub capacity: u64,
    #[prost(uint64, tag = "3")]
    pub granted: u64,
    #[prost(bool, tag = "4")]
    pub drops: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Credits {
    #[prost(message, repeated, tag = "1")]
    pub actors: Vec<ActorCredit>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct ActorCredit {
    #[prost(uint64, tag = "1")]
    pub pid: u64,
    #[prost(uint64, tag = "2")]
    pub granted: u64,
    #[prost(uint64, tag = "3")]
    pub dropped: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Preferences {
    #[prost(message, repeated, tag = "1")]
    pub actors: Vec<ActorPreference>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct ActorPreference {
    #[prost(uint64, tag = "1")]
    pub pid: u64,
    #[prost(int32, tag = "2")]
    pub preference: i32,
    #[prost(bool, tag = "3")]
    pub urgent: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Acknowledgement {
    #[prost(uint32, tag = "1")]
    pub lane: u32,
    #[prost(uint64, tag = "2")]
    pub acknowledged: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Attach {
    #[prost(bytes = "vec", tag = "1")]
    pub session: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub nonce: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttachChallenge {
    #[prost(bytes = "vec", tag = "1")]
    pub nonce: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub proof: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttachProof {
    #[prost(bytes = "vec", tag = "1")]
    pub proof: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct AttachAccepted {}

impl From<Frame> for Network {
    fn from(frame: Frame) -> Self {
        Self { body: Some(Body::Ours(Ours { frame: Some(frame) })) }
    }
}

impl From<AuthBody> for Network {
    fn from(body: AuthBody) -> Self {
        Self { body: Some(Body::Auth(Auth { body: Some(body) })) }
    }
}

impl From<NodeBody> for Network {
    fn from(body: NodeBody) -> Self {
        Self { body: Some(Body::Node(Node { body: Some(body) })) }
    }
}

impl From<ControlBody> for Network {
    fn from(body: ControlBody) -> Self {
        Self { body: Some(Body::Control(Control { body: Some(body) })) }
    }
}

impl From<NodeBody> for Enveloped {
    fn from(body: NodeBody) -> Self {
        Self::Node(Node { body: Some(body) })
    }
}

impl From<ControlBody> for Enveloped {
    fn from(body: ControlBody) -> Self {
        Self::Control(Control { body: Some(body) })
    }
}
