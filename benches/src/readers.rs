//! Actors that read payloads, the same against either crate.

use std::sync::Arc;

use crate::window::{Reader, Window};

macro_rules! readers {
    ($module:ident, $ractor:ident, $message:ty $(, $handle_arc:item)?) => {
        pub(crate) mod $module {
            use super::*;
            use $ractor::{Actor, ActorProcessingErr, ActorRef};

            type Message = $message;

            struct Reads;

            impl Actor for Reads {
                type Msg = Message;
                type State = Reader;
                type Arguments = Reader;

                async fn pre_start(
                    &self,
                    _: ActorRef<Message>,
                    reader: Reader,
                ) -> Result<Reader, ActorProcessingErr> {
                    Ok(reader)
                }

                async fn handle(
                    &self,
                    _: ActorRef<Message>,
                    payload: Message,
                    reader: &mut Reader,
                ) -> Result<(), ActorProcessingErr> {
                    reader.read(&payload);
                    Ok(())
                }

                $($handle_arc)?
            }

            /// Readers that stop when this is dropped.
            pub(crate) struct Readers(pub(crate) Vec<ActorRef<Message>>);

            impl Readers {
                pub(crate) async fn start(count: usize, window: &Arc<Window>) -> Self {
                    let mut readers = Vec::with_capacity(count);
                    for _ in 0..count {
                        let spawned = Actor::spawn(None, Reads, Reader::new(window)).await;
                        readers.push(spawned.expect("it starts").0);
                    }
                    Self(readers)
                }
            }

            impl Drop for Readers {
                fn drop(&mut self) {
                    for reader in &self.0 {
                        reader.stop(None);
                    }
                }
            }
        }
    };
}

readers!(stock, stock_ractor, Vec<u8>);
readers!(stock_arc, stock_ractor, Arc<Vec<u8>>);
readers!(
    fork,
    ractor,
    Vec<u8>,
    async fn handle_arc(
        &self,
        _: ActorRef<Message>,
        payload: ractor::message::Shared<Message>,
        reader: &mut Reader,
    ) -> Result<(), ActorProcessingErr> {
        reader.read(&payload);
        Ok(())
    }
);
