//! What the ledger promises, told through its public functions.

mod audit;
mod crl;
mod files;
mod migration;
mod registrations;
mod rules;
mod writers;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair, PublicKeyData};
use rusqlite::Connection;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::x509::Serial;
use crate::x509::key::sha256;

/// 2026-11-24T02:00:00Z.
const NOW: i64 = 1_795_485_600;
const YEAR: i64 = 365 * 86_400;
const DEVICE: &str = "5a1d8a52-7f6c-4a4e-9a43-1d6a1c7c0001";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(NOW + seconds).unwrap()
}

/// A ledger in a directory of its own, and a CA that issues into it.
struct Desk {
    directory: tempfile::TempDir,
    ledger: Ledger,
    ca: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate made in advance, so that what is reserved is what is recorded.
struct Paper {
    der: Vec<u8>,
    issuer: Vec<u8>,
    serial: Serial,
    key: [u8; 32],
    tbs: [u8; 32],
    not_after: Timestamp,
    device: String,
    profile: &'static str,
    namespace: Option<&'static str>,
    on_live: OnLive,
}

impl Desk {
    fn new() -> Desk {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        Ledger::create(&path, "acme", at(0)).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "line-1");
        Desk {
            ledger: Ledger::open(&path).unwrap(),
            ca: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
            directory,
        }
    }

    fn writer(&self) -> Writer {
        self.ledger.writer("test", at(0)).unwrap()
    }

    /// A paper for a device with a key of its own, valid for a year.
    fn paper(&self, device: &str) -> Paper {
        self.paper_for(device, &KeyPair::generate().unwrap(), YEAR)
    }

    fn paper_for(&self, device: &str, key: &KeyPair, valid: i64) -> Paper {
        static SERIALS: AtomicU32 = AtomicU32::new(1);
        let mut octets = [0x40; 16];
        octets[12..].copy_from_slice(&SERIALS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let serial = Serial::from_random(&octets).unwrap();
        let mut params = CertificateParams::default();
        params.serial_number = Some(serial.as_bytes().to_vec().into());
        params.not_before = at(0).calendar();
        params.not_after = at(valid).calendar();
        params.distinguished_name.push(DnType::CommonName, device);
        let der = params.signed_by(key, &self.ca).unwrap().der().to_vec();
        let (_, read) = X509Certificate::from_der(&der).unwrap();
        let (issuer, tbs) = (
            read.issuer().as_raw().to_vec(),
            sha256(read.tbs_certificate.as_ref()),
        );
        Paper {
            issuer,
            tbs,
            der,
            serial,
            key: sha256(&key.subject_public_key_info()),
            not_after: at(valid),
            device: device.to_owned(),
            profile: "device",
            namespace: Some("device"),
            on_live: OnLive::Refuse,
        }
    }

    /// A way around the ledger, as whoever can write the file has.
    fn raw(&self) -> Connection {
        Connection::open(self.ledger.path()).unwrap()
    }

    fn tamper(&self, sql: &str) {
        let raw = self.raw();
        raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
            .unwrap();
        raw.execute_batch(sql).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn state(&self, entry: EntryId) -> State {
        self.ledger.entry(entry).unwrap().unwrap().state
    }
}

impl Paper {
    fn intent(&self) -> Intent<'_> {
        Intent {
            issuer: &self.issuer,
            authority_key: &[7; 20],
            serial: &self.serial,
            profile: self.profile,
            claim: self.namespace.map(|namespace| Claim {
                namespace,
                device: &self.device,
                on_live: self.on_live,
            }),
            subject: "CN=device",
            key: self.key,
            tbs: self.tbs,
            not_after: self.not_after,
            registration: None,
        }
    }
}

fn reserve_at(writer: &Writer, paper: &Paper, now: Timestamp) -> Reservation {
    let mut group = writer.group(now).unwrap();
    let reservation = group.reserve(&paper.intent()).unwrap();
    group.commit().unwrap();
    reservation
}

fn reserve(writer: &Writer, paper: &Paper) -> EntryId {
    match reserve_at(writer, paper, at(0)) {
        Reservation::Reserved(entry) => entry,
        other => panic!("{other:?}"),
    }
}

fn record(writer: &Writer, entry: EntryId, paper: &Paper) {
    let mut group = writer.group(at(0)).unwrap();
    group.record(entry, &paper.der).unwrap();
    group.commit().unwrap();
}

fn issue(writer: &Writer, paper: &Paper) -> EntryId {
    let entry = reserve(writer, paper);
    record(writer, entry, paper);
    entry
}

fn abandon(writer: &Writer, entry: EntryId) {
    let mut group = writer.group(at(0)).unwrap();
    group.abandon(entry).unwrap();
    group.commit().unwrap();
}

fn permit(writer: &Writer, expires: i64) {
    let mut group = writer.group(at(0)).unwrap();
    group
        .permit("device", DEVICE, "officer", at(expires))
        .unwrap();
    group.commit().unwrap();
}

fn refused(writer: &Writer, paper: &Paper) -> Conflict {
    match reserve_at(writer, paper, at(0)) {
        Reservation::Refused(conflict) => conflict,
        other => panic!("{other:?}"),
    }
}
