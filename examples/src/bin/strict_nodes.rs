//! Two strict nodes that show each other certificates, and a third that shows the certificate of
//! another node.
//!
//! Run it with `cargo run -p mycelium-examples --features tls --bin strict_nodes`.

use std::error::Error;
use std::path::Path;

use mycelium_ext::address::Address;
use mycelium_ext::node::{Authorities, Identity, Listen, Node, NodeBuilder, Security};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The authority of a cluster, which signs a certificate for each node. Its key would be elsewhere.
struct Authority<'a> {
    folder: &'a Path,
    issuer: Issuer<'static, KeyPair>,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Path) -> Result<Self, Box<dyn Error>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        std::fs::write(folder.join("cluster.pem"), params.self_signed(&key)?.pem())?;
        Ok(Self { folder, issuer: Issuer::new(params, key) })
    }

    /// For the name of a node, and for the host at which it is dialled.
    fn sign(&self, node: &str) -> Result<Identity, Box<dyn Error>> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![node.to_owned(), "localhost".to_owned()])?;
        let (certificate, private) = (self.folder.join("node.pem"), self.folder.join("node.key"));
        std::fs::write(&certificate, params.signed_by(&key, &self.issuer)?.pem())?;
        std::fs::write(&private, key.serialize_pem())?;
        Ok(Identity::load(&certificate, &private)?)
    }

    /// A node of this name, which shows the certificate of another one or its own.
    fn node(&self, name: &str, shown: &str) -> Result<NodeBuilder, Box<dyn Error>> {
        let (identity, cluster) =
            (self.sign(shown)?, Authorities::load(&self.folder.join("cluster.pem"))?);
        Ok(Node::builder(name)
            .cookie("a secret that nobody guesses")
            .listen(Listen::tls("127.0.0.1:0", identity.clone()))
            .security(Security::strict())
            .mutual_tls(identity, cluster))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path())?;
    let feed = authority.node("feed", "feed")?.start().await?;
    let Some(Address::Tls(endpoint)) = feed.addresses().first() else {
        return Err("the feed does not listen".into());
    };
    let address: Address = format!("tls://localhost:{}", endpoint.port()).parse()?;

    let reader = authority.node("reader", "reader")?.start().await?;
    let peer = reader.connect(address.clone()).await?;
    println!("the reader is connected to {}", peer.name);

    let thief = authority.node("archive", "reader")?.start().await?;
    match thief.connect(address).await {
        Ok(_) => return Err("the feed let in a node by the certificate of another".into()),
        Err(error) => println!("who shows the certificate of another node is not: {error}"),
    }
    for node in [thief, reader, feed] {
        node.stop().await;
    }
    Ok(())
}
