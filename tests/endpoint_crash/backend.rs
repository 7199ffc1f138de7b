//! The gateway's backend, which outlives the endpoint: it keeps devices, and what was asked of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use factory_ca::x509::name::COMMON_NAME;
use factory_ca::x509::{Certificate, pem};

use crate::device::Told;
use crate::support::http::{Answer, MockServer, Received, status};

pub struct Backend {
    server: MockServer,
    state: Arc<Mutex<State>>,
    endpoints: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// UUID → the certificate with which the device was created.
    devices: BTreeMap<String, Certificate>,
    asked: Vec<Asked>,
    /// What happens to the next registration.
    plan: Option<Plan>,
    /// What happens to those without a plan.
    habit: Option<Habit>,
}

/// Gets what carries a registration out, and says what is answered.
type Plan = Box<dyn FnOnce(&dyn Fn() -> Answer) -> Answer + Send>;
type Habit = Arc<dyn Fn(&dyn Fn() -> Answer) -> Answer + Send + Sync>;

enum Asked {
    /// To create this device, with the certificate of this serial number.
    Put(String, String),
    /// Whether there is this device.
    Get(String),
}

impl Backend {
    pub fn start() -> Arc<Backend> {
        let state = Arc::new(Mutex::new(State::default()));
        let mind = state.clone();
        let server = MockServer::with_mind(move |request| answer(&mind, request));
        Arc::new(Backend {
            server,
            state,
            endpoints: AtomicUsize::new(1),
        })
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The next registration goes so.
    pub fn plan(&self, plan: impl FnOnce(&dyn Fn() -> Answer) -> Answer + Send + 'static) {
        self.state.lock().unwrap().plan = Some(Box::new(plan));
    }

    /// Registrations go so from now on.
    pub fn habit(&self, habit: impl Fn(&dyn Fn() -> Answer) -> Answer + Send + Sync + 'static) {
        self.state.lock().unwrap().habit = Some(Arc::new(habit));
    }

    /// Calls back when the endpoint connects, before anything is read.
    pub fn at_next_connection(&self, call: impl FnOnce() + Send + 'static) {
        self.server.at_next_connection(call);
    }

    /// What an administrator does when a device is to be registered again.
    pub fn delete(&self, uuid: &str) {
        self.state.lock().unwrap().devices.remove(uuid);
    }

    /// Whether a device was refused because it is known with a key that is not this request's.
    pub fn knew_another(&self, told: &Told, uuid: &str) -> bool {
        let text = "the gateway's backend already has device";
        told.is_conflict(text) && self.knows(uuid).is_some()
    }

    /// The serial number of the certificate with which it knows a device.
    pub fn knows(&self, uuid: &str) -> Option<String> {
        let state = self.state.lock().unwrap();
        let device = state.devices.get(uuid)?;
        Some(device.serial().to_string())
    }

    /// The serial numbers of all certificates that it was ever sent.
    pub fn was_sent(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let sent = state.asked.iter().filter_map(|asked| match asked {
            Asked::Put(_, serial) => Some(serial.clone()),
            Asked::Get(_) => None,
        });
        sent.collect()
    }

    /// So many endpoints ask it at once; one, if nobody says so.
    pub fn serves(&self, endpoints: usize) {
        self.endpoints.store(endpoints, Ordering::Relaxed);
    }

    /// A certificate that may have arrived was looked up before it was sent again.
    ///
    /// Two endpoints that have the same request may both look before either sends: each sends it once.
    pub fn assert_was_asked_well(&self) {
        let state = self.state.lock().unwrap();
        // How often a device's certificate was sent since the device was looked up.
        let mut unsure: BTreeMap<&String, BTreeMap<&String, usize>> = BTreeMap::new();
        for asked in &state.asked {
            match asked {
                Asked::Get(uuid) => drop(unsure.remove(uuid)),
                Asked::Put(uuid, serial) => {
                    let sent = unsure.entry(uuid).or_default().entry(serial).or_default();
                    *sent += 1;
                    let most = self.endpoints.load(Ordering::Relaxed);
                    assert!(
                        *sent <= most,
                        "{uuid}: {serial} was sent again without a look-up"
                    );
                }
            }
        }
    }
}

fn answer(state: &Arc<Mutex<State>>, request: &Received) -> Answer {
    match request.method.as_str() {
        "PUT" => {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            let pem = body["client.pem"].as_str().unwrap();
            let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
            let mut locked = state.lock().unwrap();
            let serial = certificate.serial().to_string();
            locked
                .asked
                .push(Asked::Put(device_of(&certificate), serial));
            let (plan, habit) = (locked.plan.take(), locked.habit.clone());
            drop(locked);
            let carry_out = || state.lock().unwrap().create(&certificate);
            match (plan, habit) {
                (Some(plan), _) => plan(&carry_out),
                (None, Some(habit)) => habit(&carry_out),
                (None, None) => carry_out(),
            }
        }
        "GET" => {
            let path = request.target.strip_prefix("/ota/devices/").unwrap();
            let uuid = path.split('/').next().unwrap();
            let mut state = state.lock().unwrap();
            state.asked.push(Asked::Get(uuid.to_owned()));
            state.show(uuid)
        }
        other => panic!("{other} is not asked for"),
    }
}

impl State {
    /// As the real one does: a device that is there is a conflict, whatever its key.
    fn create(&mut self, certificate: &Certificate) -> Answer {
        let uuid = device_of(certificate);
        if self.devices.contains_key(&uuid) {
            return status(409, "{\"message\": \"the device exists\"}");
        }
        self.devices.insert(uuid, certificate.clone());
        status(201, "{}")
    }

    fn show(&self, uuid: &str) -> Answer {
        let Some(certificate) = self.devices.get(uuid) else {
            return status(404, "{}");
        };
        let key = pem::write("PUBLIC KEY", certificate.key().spki());
        let device = serde_json::json!({ "uuid": uuid, "name": uuid, "public-key": key });
        status(200, &device.to_string())
    }
}

fn device_of(certificate: &Certificate) -> String {
    certificate.subject().first(COMMON_NAME).unwrap().to_owned()
}
