//! `bench`: the token's raw signing rate beside end-to-end issuance, on one token, in one run.
//!
//! Everything happens in a scratch directory that is removed afterwards: its ledger, its requests, and, unless a token
//! is named, a throw-away SoftHSM2 token. In a named token a session key is made, which is gone with its session; the
//! CA that is measured is self-signed and nobody trusts it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use zeroize::Zeroizing;

use super::clap_args::{Bench, Global};
use super::edge::{Terminal, entropy};
use super::embedded;
use super::report::Report;
use super::staging::Staging;
use crate::authority::batch::{Batch, Outcome, chunk_size};
use crate::authority::{self, Authority, Issuer, pki};
use crate::config::ModuleSource;
use crate::error::Error;
use crate::hex;
use crate::ledger::{Ledger, OnLive};
use crate::output::batch::{BatchOutput, Bundle, BundleFormat};
use crate::output::file::OutputError;
use crate::profile::{IssuerView, Naming, Profile, lint};
use crate::timestamp::Timestamp;
use crate::token::{
    Key, KeyQuery, Label, Module, OnInitialised, OpenToken, Persistence, Pin, Signer, Target,
    TokenUri,
};
use crate::x509::device_key::DeviceKey;
use crate::x509::name::{COMMON_NAME, ORGANIZATIONAL_UNIT};
use crate::x509::{Certificate, Curve, Name, PublicKey, Serial, SignatureAlgorithm};

pub fn run(global: &Global, arguments: Bench) -> Result<Report, Error> {
    let scratch = Staging::begin(&embedded::bench_place(&arguments.dir))?;
    let token = match &arguments.token {
        Some(name) => {
            let pki = super::open(global)?;
            pki.login(pki.config().token(name)?, &Terminal)?
        }
        None => throw_away_token(scratch.path())?,
    };
    let sessions = arguments.sessions.unwrap_or_else(pki::default_sessions);
    let bench = Prepared::new(scratch.path(), &token, sessions, arguments.count)?;
    let before = bench.raw(sessions)?;
    let floor = bench.floor()?;
    let issued = bench.issue(scratch.path())?;
    let after = bench.raw(sessions)?;
    Ok(bench.report(
        token.label(),
        sessions,
        &Figures {
            raw: before.plus(&after),
            floor,
            issued,
        },
    ))
}

/// A key, a CA that nobody trusts, and requests.
struct Prepared {
    key: Arc<Key>,
    issuer: Issuer,
    csrs: PathBuf,
    sample: (PublicKey, Vec<u8>),
    count: usize,
}

/// Work done, and what it took.
#[derive(Clone, Copy)]
struct Span {
    count: usize,
    wall: Duration,
    cpu: Duration,
}

struct Figures {
    raw: Span,
    floor: [Duration; 2],
    issued: Span,
}

impl Prepared {
    fn new(
        scratch: &Path,
        token: &OpenToken,
        sessions: usize,
        count: usize,
    ) -> Result<Prepared, Error> {
        let mut random = [0; 8];
        if !entropy(&mut random) {
            return Err(authority::Error::NoEntropy.into());
        }
        let name = format!("bench-{}", hex::encode(random));
        let made = token.generate_key(
            &Label::new(&name)?,
            name.as_bytes(),
            Curve::P256,
            Persistence::Session,
        )?;
        let key =
            Arc::new(token.key(KeyQuery::labelled(&name), Some(&made.public_key), sessions)?);
        let root = self_signed(key.as_ref(), &random)?;
        let issuer = Issuer::new("bench", vec![root], Arc::clone(&key) as Arc<dyn Signer>)?;
        let csrs = scratch.join("csrs");
        let sample = write_requests(&csrs, count)?;
        Ok(Prepared {
            key,
            issuer,
            csrs,
            sample,
            count,
        })
    }

    /// Signs half the digests with every session at once: nothing but C_SignInit and C_Sign.
    fn raw(&self, sessions: usize) -> Result<Span, Error> {
        let each = (self.count / 2).max(1).div_ceil(sessions);
        let start = Clock::start();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..sessions)
                .map(|_| scope.spawn(|| self.sign(each)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or(Ok(())))
        })?;
        Ok(start.stop(each * sessions))
    }

    fn sign(&self, count: usize) -> Result<(), crate::token::Error> {
        (0..count).try_for_each(|_| self.key.sign_digest(&[0x5a; 32]).map(|_| ()))
    }

    /// Processor time of the parts nobody can save: one token signature, two verifications.
    fn floor(&self) -> Result<[Duration; 2], Error> {
        let start = Clock::start();
        self.sign(FLOOR)?;
        let sign = start.stop(FLOOR).cpu_each();
        let (key, signature) = &self.sample;
        let start = Clock::start();
        for _ in 0..FLOOR {
            key.verify(SignatureAlgorithm::EcdsaSha256, MESSAGE, signature)
                .map_err(authority_error)?;
        }
        Ok([sign, start.stop(FLOOR).cpu_each()])
    }

    /// Durable issuance: files are read, possession proven, lints run, signatures verified, every group synced.
    fn issue(&self, scratch: &Path) -> Result<Span, Error> {
        let ledger = scratch.join("ledger.db");
        let now = Timestamp::now();
        Ledger::create(&ledger, "bench", now)?;
        let writer = Ledger::open(&ledger)?.writer("bench", now)?;
        let profile = Profile::shipped("device")
            .ok_or_else(no_profile)?
            .map_err(|_| no_profile())?;
        let engine = Authority::new(&self.issuer, &writer, entropy);
        let batch = Batch {
            authority: &engine,
            profile: &profile,
            on_live: OnLive::Refuse,
            clock: Timestamp::now,
            interrupt: &AtomicBool::new(false),
            chunk: chunk_size(self.count, self.issuer.lanes()),
        };
        let mut output = BatchOutput::Bundle(Bundle::begin(
            &scratch.join("certificates.pem"),
            BundleFormat::Pem,
        )?);
        let mut issued = 0;
        let start = Clock::start();
        let mut requests = std::fs::read_dir(&self.csrs)
            .map_err(OutputError::at(&self.csrs))?
            .flatten()
            .map(|f| f.path());
        batch.run(&mut requests, &mut output, &mut |item| {
            issued += usize::from(matches!(item.outcome, Outcome::Issued(_)));
        })?;
        output.finish()?;
        let span = start.stop(issued);
        match issued == self.count {
            true => Ok(span),
            false => Err(Error::usage(
                format!("only {issued} of {} requests were issued", self.count),
                "run it again",
            )),
        }
    }

    fn report(&self, token: &str, sessions: usize, figures: &Figures) -> Report {
        let (raw, issued) = (figures.raw.rate(), figures.issued.rate());
        let [sign, verify] = figures.floor;
        let floor = sign + 2 * verify;
        let cpu = figures.issued.cpu_each();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // With no overhead at all: every processor busy with nothing but the floor, or the token at its limit.
        let ceiling = (processors as f64 / floor.as_secs_f64()).min(raw);
        let json = json!({
            "token": token, "sessions": sessions, "count": self.count,
            "raw_per_second": raw, "issued_per_second": issued, "ratio": issued / raw,
            "ceiling_per_second": ceiling, "ceiling_ratio": ceiling / raw,
            "cpu_us_per_certificate": micros(cpu), "cpu_us_floor": micros(floor),
            "cpu_us_sign": micros(sign), "cpu_us_verify": micros(verify),
            "cpu_ratio": cpu.as_secs_f64() / floor.as_secs_f64(), "peak_memory_kib": peak_memory(),
        });
        let text = format!(
            "token {token}, {sessions} sessions, {} certificates\n\
             raw C_Sign             {raw:9.0} /s\n\
             durable issuance       {issued:9.0} /s\n\
             ratio                  {:9.2}\n\
             ceiling of the ratio   {:9.2}    ({ceiling:.0} /s: {processors} processors, each certificate at its floor)\n\
             CPU per certificate    {:9.1} µs\n\
             its floor              {:9.1} µs  (signature {:.1} + 2 × verification {:.1})\n\
             CPU over floor         {:9.2}\n\
             peak memory            {:9.1} MiB\n",
            self.count,
            issued / raw,
            ceiling / raw,
            micros(cpu),
            micros(floor),
            micros(sign),
            micros(verify),
            cpu.as_secs_f64() / floor.as_secs_f64(),
            peak_memory() as f64 / 1024.0,
        );
        Report::new(text, json)
    }
}

impl Span {
    fn rate(&self) -> f64 {
        self.count as f64 / self.wall.as_secs_f64()
    }

    fn cpu_each(&self) -> Duration {
        self.cpu.div_f64(self.count.max(1) as f64)
    }

    fn plus(&self, other: &Span) -> Span {
        Span {
            count: self.count + other.count,
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }
}

/// Wall clock and processor time of the whole process.
struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    fn start() -> Clock {
        Clock {
            wall: Instant::now(),
            cpu: process_time(),
        }
    }

    fn stop(&self, count: usize) -> Span {
        Span {
            count,
            wall: self.wall.elapsed(),
            cpu: process_time().saturating_sub(self.cpu),
        }
    }
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// A SoftHSM2 token in the scratch directory, with PINs nobody keeps.
fn throw_away_token(scratch: &Path) -> Result<OpenToken, Error> {
    let library = pki::module_path(&ModuleSource::Embedded)?;
    let tokens = scratch.join("softhsm/tokens");
    std::fs::create_dir_all(&tokens).map_err(OutputError::at(&tokens))?;
    embedded::write_configuration(scratch)?;
    let module = Module::load(library)?;
    let mut random = [0; 12];
    if !entropy(&mut random) {
        return Err(authority::Error::NoEntropy.into());
    }
    let pin = Pin::new(Zeroizing::new(hex::encode(random)), "bench")
        .map_err(crate::token::Error::from)?;
    module.initialise(
        &Label::new("bench")?,
        Target::Free,
        OnInitialised::Refuse,
        &pin,
        &pin,
    )?;
    Ok(module
        .find(&TokenUri::for_token("bench", "", "", ""))?
        .login(Some(pin))?)
}

fn self_signed(key: &Key, random: &[u8]) -> Result<Certificate, Error> {
    let profile = Profile::shipped("root-ca")
        .ok_or_else(no_profile)?
        .map_err(|_| no_profile())?;
    let naming = Naming {
        name: Some("Bench-CA"),
        factory: "bench",
    };
    let request = profile
        .admit_ca(key.public_key(), naming, None, Timestamp::now())
        .map_err(authority::Error::from)?;
    let view = IssuerView::self_signed(request.subject(), SignatureAlgorithm::EcdsaSha256);
    let serial =
        Serial::from_random(&[random, random].concat()).ok_or(authority::Error::NoEntropy)?;
    let tbs = profile
        .template(&request, view, serial)
        .to_tbs_with_rcgen()
        .map_err(authority::Error::from)?;
    let linted = lint::check(tbs, &profile, view, &request).map_err(authority::Error::from)?;
    let signature = key.sign(linted.tbs().der())?;
    let der = linted
        .tbs()
        .with_signature(&signature)
        .map_err(authority::Error::from)?;
    let path = PathBuf::from("bench");
    Ok(Certificate::from_der(&der)
        .map_err(|source| authority::Error::Certificate { path, source })?)
}

/// Requests of as many devices, each with a key of its own; returns a key with a signature over [`MESSAGE`].
fn write_requests(directory: &Path, count: usize) -> Result<(PublicKey, Vec<u8>), Error> {
    std::fs::create_dir(directory).map_err(OutputError::at(directory))?;
    let threads = pki::default_sessions();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    (first..count)
                        .step_by(threads)
                        .try_for_each(|n| write_request(directory, n))
                })
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().unwrap_or(Ok(())))
    })?;
    let key = DeviceKey::generate().map_err(authority_error)?;
    let signature = key.sign(MESSAGE);
    Ok((key.public_key().clone(), signature))
}

fn write_request(directory: &Path, number: usize) -> Result<(), Error> {
    let uuid = format!("00000000-0000-4000-8000-{number:012x}");
    let key = DeviceKey::generate().map_err(authority_error)?;
    let subject = Name::from_pairs(&[(COMMON_NAME, &uuid), (ORGANIZATIONAL_UNIT, "bench")]);
    let subject = subject.map_err(|_| no_profile())?;
    let request = key.request(&subject).map_err(authority::Error::Template)?;
    let path = directory.join(format!("{uuid}.der"));
    Ok(std::fs::write(&path, request).map_err(OutputError::at(&path))?)
}

/// The most memory this process has used, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn no_profile() -> Error {
    Error::usage("a shipped profile is broken", "report this defect")
}

fn authority_error(error: crate::x509::key::KeyError) -> Error {
    authority::Error::SignatureWrong {
        authority: "bench".to_owned(),
        source: error,
    }
    .into()
}

/// Enough for a stable mean, little beside the batch.
const FLOOR: usize = 4000;

const MESSAGE: &[u8] = b"a message whose signature is verified again and again";
