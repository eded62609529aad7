//! Certificates for tests of TLS.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

use std::path::PathBuf;

use mycelium_ext::node::{Authorities, Identity};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, and what it has signed, in files.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.path().join("authority.pem"), certificate.pem()).expect("a file");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn authorities(&self) -> Authorities {
        Authorities::load(&self.path("authority.pem")).expect("authorities")
    }

    /// Signs a certificate for these names, as `file.pem` and `file.key`.
    pub fn sign(&self, file: &str, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let (pem, private) = (self.path(&format!("{file}.pem")), self.path(&format!("{file}.key")));
        std::fs::write(&pem, certificate.pem()).expect("a file");
        std::fs::write(&private, key.serialize_pem()).expect("a file");
        Identity::load(&pem, &private).expect("an identity")
    }
}
