//! `POST /sign`: the story of a registration. Start reading at [`Registration::answer`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::backend::Backend;
use super::body::Body;
use super::devices::{DeviceTurn, Devices};
use super::files::reply;
use super::handover::Handover;
use super::problem::{Problem, shown};
use super::receive::{drain, read, require_json};
use super::registrars::{Caller, OLD_FOR_A_STRANGER, Registrars};
use super::route::Endpoint;
use crate::authority::desk::{Application, Counter, Desk, Rejection};
use crate::authority::{Issued, Prepared};
use crate::error;
use crate::gateway::{SotaRequest, SotaTemplate};
use crate::ledger::{AtGateway, OnLive};
use crate::profile::Profile;
use crate::timestamp::Timestamp;
use crate::x509::Csr;
use crate::x509::name::ORGANIZATIONAL_UNIT;

/// All that registering devices takes.
pub(super) struct Registration {
    pub(super) desk: Arc<Desk>,
    /// Who issues for callers that are bound to no authority.
    pub(super) authority: String,
    pub(super) profile: Profile,
    pub(super) factory: String,
    pub(super) registrars: Registrars,
    pub(super) proxies: Vec<IpNet>,
    pub(super) sota: SotaTemplate,
    /// The gateway's backend, where devices are created before they get their certificates.
    pub(super) backend: Option<Backend>,
    pub(super) devices: Devices,
    pub(super) places: Arc<Semaphore>,
    pub(super) clock: fn() -> Timestamp,
}

/// A registration that was admitted and is to be issued.
struct Admitted {
    counter: Arc<Counter>,
    prepared: Prepared,
    device: String,
    name: Option<String>,
    sota_toml: String,
}

/// The right to be worked for.
struct Seat {
    turn: DeviceTurn,
    place: OwnedSemaphorePermit,
}

impl Registration {
    /// Answers a `POST /sign` with the body of a 201 and what it hands over, or with the reason why not.
    ///
    /// What is refused is counted and logged; if a registrar vouched for it, the ledger keeps it.
    pub(super) async fn register(
        endpoint: &Arc<Endpoint>,
        request: Request<Incoming>,
        address: IpAddr,
        id: &str,
    ) -> Result<(String, Handover), Problem> {
        let this = &endpoint.registration;
        let ask = || {
            this.registrars
                .caller(request.headers(), address, (this.clock)())
        };
        let mut caller = ask();
        if caller
            .as_ref()
            .is_err_and(|fault| fault.rule == "registrar-unknown")
        {
            // It may have been made a moment ago.
            tokio::time::sleep(OLD_FOR_A_STRANGER).await;
            caller = ask();
        }
        let caller = match caller {
            Ok(caller) => caller,
            Err(fault) => {
                drain(request.into_body()).await;
                endpoint.metrics.refused(fault.rule);
                endpoint.strange(&format!("request {id} from {address}: {}", fault.told()));
                return Err(fault);
            }
        };
        let answer = Registration::answer(endpoint, request, &caller, id).await;
        if let Err(fault) = &answer {
            endpoint.metrics.refused(fault.rule);
            this.keep_refusal(endpoint, fault, &caller, id);
        }
        answer
    }

    /// Read → admit → wait for a turn → issue → tell the backend → hand over.
    ///
    /// Everything that can be refused is refused before anything is signed, and the whole reply is made before its
    /// first octet is sent. A client that hangs up while it waits leaves nothing behind; from the reservation on the
    /// work is a task of its own, and is not left half done.
    async fn answer(
        endpoint: &Arc<Endpoint>,
        request: Request<Incoming>,
        caller: &Caller,
        id: &str,
    ) -> Result<(String, Handover), Problem> {
        let this = &endpoint.registration;
        let (head, body) = request.into_parts();
        if let Err(fault) = caller
            .check_network()
            .and_then(|()| require_json(&head.headers))
        {
            drain(body).await;
            return Err(fault);
        }
        let bytes = read(body).await?;
        let begun = Instant::now();
        let admitted = this.admit(&bytes, caller)?;
        endpoint.metrics.took("admit", begun.elapsed());
        let (counter, sota_toml) = (admitted.counter.clone(), admitted.sota_toml.clone());
        let registrar = caller.registrar.as_ref();
        let application = Application {
            source: caller.source(),
            address: caller.address.to_string(),
            name: admitted.name,
            prepared: admitted.prepared,
            registrar: registrar.map(|registrar| registrar.id),
            on_live: registrar.map_or(OnLive::Refuse, |registrar| registrar.on_live),
            at_gateway: match this.backend {
                Some(_) => AtGateway::Create,
                None => AtGateway::Nothing,
            },
            deadline: Instant::now() + PATIENCE,
        };
        let seat = this
            .seat(endpoint, &admitted.device, application.deadline)
            .await?;
        let work = Registration::issue(endpoint.clone(), counter.clone(), seat, application);
        let issued = tokio::spawn(work)
            .await
            .map_err(|_| Problem::unavailable("task", "the registration was interrupted"))?;
        let (issued, turn) = issued?;
        let body = reply(&issued, &counter, &sota_toml);
        endpoint.note_issued(&issued, counter.issuer(), caller, id);
        let handover = Handover {
            desk: this.desk.clone(),
            entry: issued.entry,
            turn,
        };
        Ok((body, handover))
    }

    /// Reads what the device wants and holds it against the profile and the caller's rights.
    fn admit(&self, bytes: &[u8], caller: &Caller) -> Result<Admitted, Problem> {
        let body = Body::from_json(bytes)?;
        let wanted = SotaRequest {
            hardware_id: &body.hardware_id,
            config_dir: body.sota_config_dir.as_deref(),
            overrides: &body.overrides,
        };
        let sota_toml = self.sota.render(&wanted).map_err(|error| {
            Problem::bad_request("the device's settings are refused")
                .rule("overrides")
                .field(error.field(), error.to_string())
        })?;
        let csr =
            Csr::from_bytes(body.csr.as_bytes()).map_err(|error| Problem::of(&error.into()))?;
        self.admit_csr(&csr, body, sota_toml, caller)
            .map_err(|fault| fault.about(&csr))
    }

    fn admit_csr(
        &self,
        csr: &Csr,
        body: Body,
        sota_toml: String,
        caller: &Caller,
    ) -> Result<Admitted, Problem> {
        if let Some(factory) = csr.subject().first(ORGANIZATIONAL_UNIT)
            && factory != self.factory
        {
            let text = format!(
                "Invalid factory({}) must be {}",
                shown(factory),
                self.factory
            );
            return Err(Problem::bad_request(text).rule("factory"));
        }
        let counter = self.counter(caller)?;
        let prepared = self
            .desk
            .prepare(counter, csr, &self.profile)
            .map_err(|error| Problem::of(&error))?;
        let device = prepared.device().unwrap_or_default().to_owned();
        if let Some(uuid) = &body.uuid
            && !uuid.eq_ignore_ascii_case(&device)
        {
            let text = format!(
                "is `{}`, the certification request is for `{device}`",
                shown(uuid)
            );
            let fault = Problem::bad_request("the certification request is for another device");
            return Err(fault.rule("uuid").field("uuid", text));
        }
        caller.check_production(prepared.is_production())?;
        Ok(Admitted {
            counter: counter.clone(),
            prepared,
            device,
            name: checked_name(body.name)?,
            sota_toml,
        })
    }

    /// The CA for a caller: the first of those its token is bound to that this endpoint has, or the default.
    fn counter(&self, caller: &Caller) -> Result<&Arc<Counter>, Problem> {
        let bound = caller
            .registrar
            .as_ref()
            .map(|one| one.authorities.as_slice());
        let names = match bound {
            None | Some([]) => std::slice::from_ref(&self.authority),
            Some(names) => names,
        };
        let mut here = names.iter().filter_map(|name| self.desk.counter(name));
        here.next().ok_or_else(|| {
            let name = names.join("`, `");
            let text = format!(
                "the registrar token is for authority `{name}`, which this endpoint does not have"
            );
            Problem::new(StatusCode::FORBIDDEN, "registrar-authority", text)
        })
    }

    /// Waits for token, queue and the device's turn.
    ///
    /// The turn comes first: many requests for one device must not take the places of others while they wait for each
    /// other.
    async fn seat(
        &self,
        endpoint: &Endpoint,
        device: &str,
        deadline: Instant,
    ) -> Result<Seat, Problem> {
        let until = deadline.into();
        if !endpoint.status.wait(until).await {
            return Err(Problem::unavailable(
                "not-ready",
                "the endpoint cannot sign at the moment; nothing was signed",
            ));
        }
        let turn = self.devices.turn(device, until).await;
        let place = tokio::time::timeout_at(until, self.places.clone().acquire_owned()).await;
        match (turn, place) {
            (Some(turn), Ok(Ok(place))) => Ok(Seat { turn, place }),
            _ => Err(Problem::unavailable(
                "busy",
                "too many registrations are under way; nothing was signed",
            )),
        }
    }

    /// Issues and tells the backend. The device's turn goes on until the certificate is handed out.
    async fn issue(
        endpoint: Arc<Endpoint>,
        counter: Arc<Counter>,
        seat: Seat,
        application: Application,
    ) -> Result<(Issued, DeviceTurn), Problem> {
        endpoint.metrics.under_way.inc();
        let name = application.name.clone();
        let outcome = Registration::sign(&endpoint, &counter, application).await;
        // A slow backend keeps nobody from the token.
        drop(seat.place);
        let outcome = match (outcome, &endpoint.registration.backend) {
            (Ok(issued), Some(backend)) if issued.pending => {
                let announced = backend.announce(&issued, name).await;
                announced.map(|()| issued)
            }
            (outcome, _) => outcome,
        };
        endpoint.metrics.under_way.dec();
        outcome.map(|issued| (issued, seat.turn))
    }

    /// One certificate from the desk, within the deadline.
    async fn sign(
        endpoint: &Arc<Endpoint>,
        counter: &Arc<Counter>,
        application: Application,
    ) -> Result<Issued, Problem> {
        let this = &endpoint.registration;
        let until = application.deadline + GRACE;
        let (told, answer) = oneshot::channel();
        this.desk.submit(counter, application, move |answer| {
            let _ = told.send(answer);
        });
        let answer = tokio::time::timeout_at(until.into(), answer).await;
        let (issued, steps) = match answer {
            Ok(Ok(Ok(issued))) => issued,
            Ok(Ok(Err(error))) => {
                let fault = Problem::of(&error);
                if !fault.status.is_client_error() {
                    tracing::error!("{}", error::on_one_line(&error));
                }
                return Err(fault);
            }
            Ok(Err(_)) | Err(_) => {
                let text = "the token has not answered in time; nothing was released";
                return Err(Problem::unavailable("token-slow", text));
            }
        };
        endpoint.metrics.desk_took(steps);
        Ok(issued)
    }

    /// Keeps the refusal of a request that a registrar vouched for; others must not be able to fill the disk.
    fn keep_refusal(&self, endpoint: &Endpoint, fault: &Problem, caller: &Caller, id: &str) {
        let source = caller.source();
        if caller.registrar.is_none() {
            endpoint.strange(&format!("request {id} from {source}: {}", fault.told()));
            return;
        }
        tracing::warn!(
            request = id,
            source,
            rule = fault.rule,
            status = fault.status.as_u16(),
            device = fault.device.as_deref(),
            "refused: {}",
            fault.told()
        );
        if fault.status.is_client_error() && !fault.recorded {
            self.desk.reject(Rejection {
                source,
                device: fault.device.clone(),
                key: fault.key,
                rule: fault.rule,
                message: fault.told(),
            });
        }
    }
}

/// A name that the backend can show: the reference server passes on anything.
fn checked_name(name: Option<String>) -> Result<Option<String>, Problem> {
    let unfit =
        |name: &String| name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control);
    match name.as_ref().is_some_and(unfit) {
        false => Ok(name),
        true => Err(Problem::bad_request("the device's name is refused")
            .rule("name")
            .field(
                "name",
                format!("it has control characters or more than {LONGEST_NAME}"),
            )),
    }
}

/// How long a device waits for the token or the queue: it does not try again by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the desk gets beyond that to say that the token did not answer.
const GRACE: Duration = Duration::from_secs(2);

/// Characters of a device's name.
const LONGEST_NAME: usize = 128;
