//! What the ledger says in the end, and what must hold of it after any kill.

use std::collections::{BTreeMap, BTreeSet};

use factory_ca::ledger::{Entry, Error, Filter, Ledger, State};

use crate::line::Line;

/// The entries of devices, in the order of their reservation.
pub struct Books {
    pub entries: Vec<Entry>,
    /// Serial number → its entry's place.
    places: BTreeMap<String, usize>,
}

impl Line {
    pub fn ledger(&self) -> Ledger {
        Ledger::open(&self.factory.path("pki/ledger.db")).unwrap()
    }

    pub fn books(&self) -> Books {
        let mut entries = Vec::new();
        let filter = Filter {
            profile: Some("device".to_owned()),
            ..Filter::default()
        };
        self.ledger()
            .for_each(&filter, |entry| {
                // Whether there is one is enough: they would be most of the memory.
                let certificate = entry.certificate.as_ref().map(|_| Vec::new());
                entries.push(Entry {
                    certificate,
                    ..entry.clone()
                });
                Ok::<_, Error>(())
            })
            .unwrap();
        let serials = entries.iter().map(|entry: &Entry| entry.serial.to_string());
        Books {
            places: serials.zip(0..).collect(),
            entries,
        }
    }

    /// The ledger agrees with itself, and with the token and the backend. Nothing may write meanwhile.
    pub fn assert_sound(&self) -> Books {
        let check = self.ledger().check().unwrap();
        assert_eq!(check.violations, []);
        let books = self.books();
        books.assert_unique();
        let unsigned: BTreeSet<String> = books.serials(|entry| entry.certificate.is_none());
        let listed = check.intents_without_result.iter();
        let listed: BTreeSet<String> = listed.map(|entry| entry.serial.to_string()).collect();
        assert_eq!(listed, unsigned, "intents without result");
        if self.has_slow_token() {
            let certificates = books.entries.len() - unsigned.len();
            let signed = self.signatures() as usize;
            assert!(
                (certificates..=books.entries.len()).contains(&signed),
                "{signed} signatures, {certificates} certificates, {} without result",
                unsigned.len()
            );
        }
        if let Some(backend) = &self.backend {
            backend.assert_was_asked_well();
            let recorded = books.serials(|entry| entry.certificate.is_some());
            for serial in backend.was_sent() {
                assert!(recorded.contains(&serial), "{serial} was sent unrecorded");
            }
        }
        books
    }

    /// The same after a stop, which leaves nothing under way.
    pub fn assert_settled(&self) -> Books {
        let books = self.assert_sound();
        assert_eq!(self.ledger().counts().unwrap().reserved, 0);
        assert_eq!(self.ledger().live_writers().unwrap(), [""; 0]);
        books
    }
}

impl Books {
    /// A device's entries, oldest first.
    pub fn of(&self, uuid: &str) -> Vec<&Entry> {
        let mine = |entry: &&Entry| entry.device.as_deref() == Some(uuid);
        self.entries.iter().filter(mine).collect()
    }

    /// Device → its only issued certificate's entry.
    pub fn live(&self) -> BTreeMap<&str, &Entry> {
        let issued = self
            .entries
            .iter()
            .filter(|entry| entry.state == State::Issued);
        let mut live = BTreeMap::new();
        for entry in issued {
            let device = entry.device.as_deref().unwrap();
            let second = live.insert(device, entry);
            assert!(second.is_none(), "two live ones: {second:#?} {entry:#?}");
        }
        live
    }

    pub fn by_serial(&self, serial: &str) -> Option<&Entry> {
        self.places.get(serial).map(|place| &self.entries[*place])
    }

    /// A device's entries as one reads them in a report.
    pub fn story(&self, uuid: &str) -> String {
        let tell = |entry: &&Entry| {
            let registration = entry.registration.as_ref();
            format!(
                "entry {} {} reason {:?}, reserved {}, recorded {:?}, offered {:?}, gateway {:?}, writer {}",
                entry.id,
                entry.state,
                entry.reason,
                entry.reserved_at,
                entry.recorded_at.map(|at| at.to_string()),
                registration.and_then(|known| known.offered_at.map(|at| at.to_string())),
                registration.map(|known| known.gateway),
                entry.writer,
            )
        };
        let lines: Vec<String> = self.of(uuid).iter().map(tell).collect();
        lines.join("\n")
    }

    fn serials(&self, which: impl Fn(&Entry) -> bool) -> BTreeSet<String> {
        let found = self.entries.iter().filter(|entry| which(entry));
        found.map(|entry| entry.serial.to_string()).collect()
    }

    /// No serial repeats, no key has two certificates, no device two live ones.
    fn assert_unique(&self) {
        assert_eq!(self.places.len(), self.entries.len());
        let mut keys = BTreeSet::new();
        for entry in &self.entries {
            let certified = entry.certificate.is_some();
            assert!(!certified || keys.insert(entry.key), "{entry:#?}");
        }
        self.live();
    }
}
