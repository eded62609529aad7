//! Whatever serde can write and read, as bytes of `pot`.

use crate::remoting::{Encoder, Part};
use crate::BytesConvertable;

impl<T: serde::Serialize + serde::de::DeserializeOwned> BytesConvertable for T {
    fn into_bytes(self) -> Vec<u8> {
        pot::to_vec(&self).expect("a value that serde can write")
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        pot::from_slice(&bytes).expect("bytes of the type")
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        self.to_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        pot::to_writer(self, encoder).expect("a value that serde can write");
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        pot::from_slice(part.as_slice()).expect("bytes of the type")
    }
}
