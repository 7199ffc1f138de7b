//! Who may have which certificate: the rules of [`Group::reserve`].

use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;

use crate::timestamp::Timestamp;

use super::fact::Fact;
use super::store::{self, read, registration, write};
use super::writer::Reserved;
use super::{
    Claim, Conflict, Entry, EntryId, Error, Group, Intent, Offer, OnLive, Registering, RegistrarId,
    Reservation, State,
};

impl Group<'_> {
    /// Reserves a serial number and, with a claim, a device's place, before anything is signed.
    ///
    /// A registrar must be open; one that is exhausted may still repeat a request or replace what it never offered.
    /// Without a claim only the serial must be new. With one, in this order: the key must not be compromised nor
    /// belong to another device; the same request again gets its certificate again; a certificate that was never
    /// offered gives way, and one that the gateway's backend refused; any other live or revoked certificate in the place needs a permit, which is used up here,
    /// or [`OnLive::Supersede`] for a live one; an expired or abandoned one gives way. An entry left reserved by a
    /// dead writer is abandoned first.
    ///
    /// Whoever repeats a request without going through the endpoint delivers the certificate: it counts as offered.
    ///
    /// # Errors
    ///
    /// [`Error::SerialRepeated`] when the issuer used the serial before, [`Error::RegistrarUnknown`] when the
    /// registrar was never created.
    pub fn reserve(&mut self, intent: &Intent<'_>) -> Result<Reservation, Error> {
        self.step(|group| {
            if let Some(conflict) = group.registrar_conflict(intent)? {
                return Ok(Reservation::Refused(conflict));
            }
            match &intent.claim {
                Some(claim) => group.reserve_claimed(intent, claim),
                None => group.insert(intent, None).map(Reservation::Reserved),
            }
        })
    }

    /// What the registrar's standing has against the request.
    fn registrar_conflict(&mut self, intent: &Intent<'_>) -> Result<Option<Conflict>, Error> {
        let Some(id) = intent.registration.and_then(|asked| asked.registrar) else {
            return Ok(None);
        };
        let now = self.now;
        let conflict = self.registrar(id)?.conflict(now);
        let (Some(Conflict::RegistrarExhausted { .. }), Some(claim)) = (&conflict, &intent.claim)
        else {
            return Ok(conflict);
        };
        // The place may have been a dead writer's, whose use came back just now.
        let current = self.settled_place(claim)?;
        let costs_nothing = current.is_some_and(|entry| {
            let in_hand = entry.state == State::Reserved || entry.is_live(now);
            in_hand && (intent.is_repeat_of(&entry) || entry.is_given_back_by(id))
        });
        match costs_nothing {
            true => Ok(None),
            false => Ok(self.registrar(id)?.conflict(now)),
        }
    }

    fn reserve_claimed(
        &mut self,
        intent: &Intent<'_>,
        claim: &Claim<'_>,
    ) -> Result<Reservation, Error> {
        let owners = self.read(|connection| read::key_owners(connection, &intent.key))?;
        if let Some(conflict) = self.key_conflict(&owners, claim)? {
            return Ok(Reservation::Refused(conflict));
        }
        let current = self.settled_place(claim)?;
        let way = match &current {
            None => Way::Free,
            Some(entry) => self.way(intent, claim, entry)?,
        };
        let permit = match way {
            Way::Free => None,
            Way::Permitted(permit) => Some(permit),
            Way::Closed(Reservation::Repeated(entry)) => return self.repeat(intent, entry),
            Way::Closed(answer) => return Ok(answer),
        };
        let previous = current.map(|current| current.id);
        let entry = self.insert(intent, previous)?;
        self.change(|connection, _| write::place(connection, claim, entry, previous))?;
        if !owners
            .iter()
            .any(|(namespace, ..)| namespace == claim.namespace)
        {
            self.change(|connection, _| write::key(connection, &intent.key, claim))?;
        }
        if let Some(permit) = permit {
            self.change(|connection, _| write::permit_used(connection, permit, entry))?;
            self.add(Fact::permit_used(permit, entry.0));
        }
        Ok(Reservation::Reserved(entry))
    }

    /// The endpoint offers by itself once the gateway knows of the device; whoever else asks, delivers.
    fn repeat(&mut self, intent: &Intent<'_>, mut entry: Box<Entry>) -> Result<Reservation, Error> {
        if intent.registration.is_none()
            && !entry.was_offered()
            && self.hand_out(entry.id)? == Offer::Made
            && let Some(registration) = &mut entry.registration
        {
            registration.offered_at = Some(self.now);
        }
        Ok(Reservation::Repeated(entry))
    }

    fn key_conflict(
        &self,
        owners: &[(String, String, bool)],
        claim: &Claim<'_>,
    ) -> Result<Option<Conflict>, Error> {
        if let Some((namespace, device, _)) = owners.iter().find(|(.., compromised)| *compromised) {
            return Ok(Some(Conflict::KeyCompromised {
                namespace: namespace.clone(),
                device: device.clone(),
            }));
        }
        let other = owners
            .iter()
            .find(|(namespace, device, _)| namespace == claim.namespace && device != claim.device);
        let Some((namespace, device, _)) = other else {
            return Ok(None);
        };
        let entry = self.read(|connection| {
            read::place(connection, namespace, device)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        })?;
        Ok(Some(Conflict::KeyOfOtherDevice {
            device: device.clone(),
            entry: Box::new(entry),
        }))
    }

    /// The entry in a device's place, after a dead writer's was put in order.
    fn settled_place(&mut self, claim: &Claim<'_>) -> Result<Option<Entry>, Error> {
        let place = |group: &Self| {
            group.read(|connection| read::place(connection, claim.namespace, claim.device))
        };
        let current = place(self)?;
        match &current {
            Some(entry) if entry.state == State::Reserved && self.is_left_behind(&entry.writer) => {
                self.bury(&entry.writer)?;
                place(self)
            }
            _ => Ok(current),
        }
    }

    /// Whether a request may take the place of an entry.
    fn way(&self, intent: &Intent<'_>, claim: &Claim<'_>, current: &Entry) -> Result<Way, Error> {
        let entry = || Box::new(current.clone());
        let conflict = match current.state {
            State::Reserved => return Ok(Way::Closed(self.busy(claim, current))),
            State::Abandoned => return Ok(Way::Free),
            State::Issued if !current.is_live(self.now) => return Ok(Way::Free),
            State::Issued if intent.is_repeat_of(current) => {
                return Ok(Way::Closed(Reservation::Repeated(entry())));
            }
            State::Issued if !current.was_offered() => {
                return Ok(match self.may_be_offering(current) {
                    true => Way::Closed(self.busy(claim, current)),
                    false => Way::Free,
                });
            }
            State::Revoked if current.was_refused_by_gateway() => return Ok(Way::Free),
            State::Issued if claim.on_live == OnLive::Supersede => return Ok(Way::Free),
            State::Issued => Conflict::DeviceLive { entry: entry() },
            State::Revoked => Conflict::DeviceRevoked { entry: entry() },
        };
        let permit = self.change(|connection, now| {
            read::permit(connection, claim.namespace, claim.device, now)
        })?;
        Ok(match permit {
            Some(permit) => Way::Permitted(permit),
            None => Way::Closed(Reservation::Refused(conflict)),
        })
    }

    /// Whether another process may be handing a certificate out right now: it is alive, and the record is fresh.
    ///
    /// Requests within one process come one after the other for each device, so this writer never is.
    fn may_be_offering(&self, entry: &Entry) -> bool {
        let fresh = |at: Timestamp| self.now < at.plus(LONGEST_OFFER);
        entry.writer != self.writer.name
            && entry.recorded_at.is_some_and(fresh)
            && !self.is_left_behind(&entry.writer)
    }

    fn busy(&self, claim: &Claim<'_>, current: &Entry) -> Reservation {
        Reservation::Refused(Conflict::Busy {
            entry: current.id,
            device: claim.device.to_owned(),
            writer: current.writer.clone(),
            mine: current.writer == self.writer.name,
        })
    }

    fn insert(&mut self, intent: &Intent<'_>, previous: Option<EntryId>) -> Result<EntryId, Error> {
        let issuer = self.issuer(intent.issuer)?;
        let state = &self.state;
        let inserted = write::entry(
            &state.connection,
            intent,
            issuer,
            state.id,
            previous,
            self.now,
        );
        let entry = inserted.map_err(|source| match &source {
            rusqlite::Error::SqliteFailure(failure, _)
                if failure.extended_code == SQLITE_CONSTRAINT_UNIQUE =>
            {
                Error::SerialRepeated {
                    serial: intent.serial.clone(),
                }
            }
            _ => store::unavailable(&self.writer.path, source),
        })?;
        let reserved = Reserved {
            tbs: intent.tbs,
            previous,
        };
        self.state.reserved.insert(entry, reserved);
        let row = intent.digest(previous);
        self.add(Fact::reserved(
            entry.0,
            intent.serial.as_bytes(),
            intent.tbs,
            row,
        ));
        if let Some(registering) = &intent.registration {
            self.register(entry, registering)?;
        }
        Ok(entry)
    }

    fn register(&mut self, entry: EntryId, registering: &Registering<'_>) -> Result<(), Error> {
        self.change(|connection, _| registration::insert(connection, entry, registering))?;
        self.add(Fact::registered(entry.0, registering.digest()));
        if let Some(id) = registering.registrar {
            self.registrar(id)?.used += 1;
        }
        Ok(())
    }

    fn issuer(&mut self, subject: &[u8]) -> Result<i64, Error> {
        match &self.state.issuer {
            Some((last, id)) if last == subject => Ok(*id),
            _ => {
                let id = self.change(|connection, _| write::issuer(connection, subject))?;
                self.state.issuer = Some((subject.to_vec(), id));
                Ok(id)
            }
        }
    }
}

impl Entry {
    /// Whether this registrar gets its use back when the entry ends as it is: registered with it and never offered.
    fn is_given_back_by(&self, registrar: RegistrarId) -> bool {
        self.registration.as_ref().is_some_and(|registration| {
            registration.registrar == Some(registrar) && registration.offered_at.is_none()
        })
    }
}

/// Whether a device's place can be taken.
enum Way {
    Free,
    Permitted(i64),
    Closed(Reservation),
}

/// Seconds after which no endpoint still waits for the gateway's backend before it hands a certificate out.
const LONGEST_OFFER: i64 = 600;
