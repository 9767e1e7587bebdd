//! A broker behind TLS, with an authority of its own, that asks for a certificate.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tidegate::job::{PoolName, Priority};
use tidegate::queue::{Broker, ClientCertificate, QueueError, topology};

use super::ward::{Private, Ward, delivery, lanes};
use crate::world::patient;

/// An authority, and certificates that it gave to the broker and to us.
struct Papers {
    dir: TempDir,
}

impl Papers {
    fn new() -> Self {
        let papers = Self { dir: TempDir::new().expect("a directory") };
        let subject = ["-subj", "/CN=tidegate test authority"];
        papers
            .openssl(&[&["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"], &subject[..]].concat(), "ca");
        papers.certify("broker", "serverAuth");
        papers.certify("client", "clientAuth");
        papers
    }

    fn certify(&self, who: &str, usage: &str) {
        let extensions = format!("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage={usage}\n");
        std::fs::write(self.path(&format!("{who}.ext")), extensions).expect("written");
        let subject = format!("/CN=tidegate test {who}");
        self.run(&[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &self.name(who, "key"),
            "-out",
            &self.name(who, "csr"),
        ]);
        self.run(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            &self.name(who, "csr"),
            "-CA",
            &self.name("ca", "pem"),
            "-CAkey",
            &self.name("ca", "key"),
            "-CAcreateserial",
            "-extfile",
            &self.name(who, "ext"),
            "-out",
            &self.name(who, "pem"),
        ]);
    }

    fn openssl(&self, arguments: &[&str], name: &str) {
        let (key, pem) = (self.name(name, "key"), self.name(name, "pem"));
        self.run(&[arguments, &["-keyout", &key, "-out", &pem]].concat());
    }

    fn run(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn name(&self, who: &str, ending: &str) -> String {
        self.path(&format!("{who}.{ending}")).display().to_string()
    }

    fn of_client(&self) -> ClientCertificate {
        ClientCertificate { certificate_file: self.path("client.pem"), key_file: self.path("client.key") }
    }
}

/// Where nobody listens, below where the system hands ports out.
fn free_port() -> u16 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/free-port");
    let output = Command::new(script).output().expect("the script runs");
    String::from_utf8(output.stdout).expect("text").trim().parse().expect("a port")
}

fn listen(private: &Private, papers: &Papers, port: u16) {
    let (ca, certificate, key) = (papers.name("ca", "pem"), papers.name("broker", "pem"), papers.name("broker", "key"));
    let options = format!(
        "[{{cacertfile,\"{ca}\"}},{{certfile,\"{certificate}\"}},{{keyfile,\"{key}\"}},\
         {{verify,verify_peer}},{{fail_if_no_peer_cert,true}}]"
    );
    private.ctl(&[
        "eval",
        &format!(
            "application:ensure_all_started(ssl), rabbit_networking:start_ssl_listener({{\"127.0.0.1\",{port}}}, {options}, 1)."
        ),
    ]);
}

#[tokio::test]
async fn an_authority_and_a_certificate_of_our_own_open_the_way_and_nothing_less_does() {
    let papers = Papers::new();
    let private = Private::start();
    let port = free_port();
    listen(&private, &papers, port);
    let mut ward = Ward::at(private.url.clone()).await;
    let pools = [PoolName::default_pool()];

    let broker = |ca: bool, certificate: bool| {
        let mut broker: Broker = ward.by(vec![format!("amqps://guest:guest@127.0.0.1:{port}/%2f")]);
        broker.ca_file = ca.then(|| papers.path("ca.pem"));
        broker.client_certificate = certificate.then(|| papers.of_client());
        broker
    };
    let stranger = patient("a look", topology::check(&broker(false, true), &pools)).await;
    let Err(QueueError::Unreachable(told)) = stranger else { panic!("{stranger:?}") };
    assert!(told.contains("certificate") || told.contains("UnknownIssuer"), "{told}");
    let unknown = patient("a look", topology::check(&broker(true, false), &pools)).await;
    assert!(matches!(unknown, Err(QueueError::Unreachable(_))), "{unknown:?}");
    let mut missing = broker(true, true);
    missing.ca_file = Some(papers.path("none.pem"));
    let told = patient("a look", topology::check(&missing, &pools)).await;
    assert!(matches!(&told, Err(QueueError::Unusable { what, .. }) if what.ends_with("none.pem")), "{told:?}");

    let broker = broker(true, true);
    patient("a look", topology::check(&broker, &pools)).await.expect("all is there");
    let mut reception = ward.reception(broker.clone());
    reception.serve(&lanes(&[(Priority::Bulk, 4)]), true);
    ward.stranger().await.publish_jobs(&ward.jobs(), "default.bulk", 1).await;
    let arrived = delivery(&mut reception).await;
    reception.ack(vec![arrived.ticket]);
    ward.publisher(broker).await;
    ward.stop().await;
}
