//! A process without address space for the arena of a peer: that peer's payloads are copied to it,
//! and all else goes on.

use bytes::Bytes;
use libtest_mimic::Failed;
use mycelium_ext::shm::ShmOptions;
use ractor::ActorRef;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::nodes::builder;
use crate::process::{Process, run, soon};
use crate::relay::{Passed, SIZE, held, knows, lent, member, reached, start};

/// The process with a large arena, and the one that has no address space for that.
const LARGE: &str = "large";
const LIMITED: &str = "limited";
const ARENA: usize = 16 << 30;
const ADDRESS_SPACE: u64 = 8 << 30;

/// How the process with a node of this name makes its links.
pub(crate) fn options(name: &str) -> ShmOptions {
    if name == LIMITED {
        let limit = Rlimit { current: Some(ADDRESS_SPACE), ..getrlimit(Resource::As) };
        setrlimit(Resource::As, limit).expect("a process may have less");
    }
    match name {
        LARGE => ShmOptions::default().with_arena(ARENA),
        _ => ShmOptions::default(),
    }
}

/// Waits until so many payloads are held, all of them as they were sent. Returns how many of them
/// lie in another process's arena.
async fn lent_of(holder: &ActorRef<Passed>, payloads: u64) -> u64 {
    soon(async { while held(holder).await[0] < payloads {} }).await;
    let [count, lent, whole] = held(holder).await[..] else { panic!("there are three figures") };
    assert_eq!([count, whole], [payloads; 2]);
    lent
}

async fn unmapped(holder: &ActorRef<Passed>) -> u64 {
    soon(holder.call(Passed::Unmapped, None)).await.unwrap().unwrap()
}

/// Starts one process after the other. The second one makes the links between them.
async fn two(names: [&str; 2], own: &str) -> Result<[Process; 2], Failed> {
    let (first, address) = start(names[0], &[own]).await?;
    let (second, _) = start(names[1], &[own, &address]).await?;
    Ok([first, second])
}

pub(crate) fn a_process_without_room_for_an_arena_is_copied_to() -> Result<(), Failed> {
    for names in [[LARGE, LIMITED], [LIMITED, LARGE]] {
        run(async {
            let node = builder("this").start().await?;
            let _processes = two(names, &node.addresses()[0].to_string()).await?;
            reached(&node, 2).await;
            let (large, limited) = (member(LARGE).await, member(LIMITED).await);
            knows(&large, LIMITED, 1, 2).await;
            knows(&limited, LARGE, 1, 2).await;

            for number in 1..=3 {
                large.cast(Passed::Write { to: LIMITED.to_owned(), number })?;
            }
            assert_eq!(lent_of(&limited, 3).await, 0);
            // What another process wrote is copied on this way too.
            let payload = Bytes::from(vec![4; SIZE]);
            large.cast(Passed::PassOn { to: LIMITED.to_owned(), number: 4, payload })?;
            assert_eq!(lent_of(&limited, 4).await, 0);
            assert_eq!(lent(&large).await[1..], [0, 0]);

            // The other direction, and another peer, which has a smaller arena.
            limited.cast(Passed::Write { to: LARGE.to_owned(), number: 5 })?;
            assert_eq!(lent_of(&large, 1).await, 1);
            limited.cast(Passed::Hold { number: 6, payload: Bytes::from(vec![6; SIZE]) })?;
            assert_eq!(lent_of(&limited, 5).await, 1);

            // Each link that is made tries it once: there was one.
            assert_eq!((unmapped(&limited).await, unmapped(&large).await), (1, 0));
            node.stop().await;
            Ok::<_, Failed>(())
        })?;
    }
    Ok(())
}
