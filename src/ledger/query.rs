//! Reading the ledger. What may be long is handed out one by one, in pages, so memory and read locks stay small.

use crate::x509::Serial;

use super::lock::Locks;
use super::store::read;
use super::{Counts, Entry, EntryId, Error, Filter, Ledger, Refusal, State};

impl Ledger {
    /// One entry by number.
    pub fn entry(&self, id: EntryId) -> Result<Option<Entry>, Error> {
        self.query(|connection| read::entry(connection, id))
    }

    /// The entries with a serial number; more than one only if several issuers used it.
    pub fn by_serial(&self, serial: &Serial) -> Result<Vec<Entry>, Error> {
        self.query(|connection| read::by_serial(connection, serial))
    }

    /// A device's entries, newest first, in one namespace or in all.
    ///
    /// An attempt that was abandoned and gave its place back is not among them; see
    /// [`Ledger::intents_without_result`].
    pub fn device(&self, namespace: Option<&str>, device: &str) -> Result<Vec<Entry>, Error> {
        let namespaces = match namespace {
            Some(namespace) => vec![namespace.to_owned()],
            None => self.query(read::namespaces)?,
        };
        let mut entries = Vec::new();
        for namespace in namespaces {
            let mut next = self.query(|connection| read::place(connection, &namespace, device))?;
            while let Some(entry) = next {
                next = match entry.previous {
                    Some(previous) => self.entry(previous)?,
                    None => None,
                };
                entries.push(entry);
            }
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        Ok(entries)
    }

    /// Entries without a claim (CAs, servers) for a key, of one profile or of all, newest first.
    pub fn by_key_without_claim(
        &self,
        key: &[u8; 32],
        profile: Option<&str>,
    ) -> Result<Vec<Entry>, Error> {
        self.query(|connection| read::unclaimed(connection, key, profile))
    }

    /// Calls `each` with every entry that passes, by ascending number. Its first error ends the walk.
    ///
    /// Entries are read a page at a time: one that changes meanwhile is seen in either state.
    pub fn for_each<E: From<Error>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut filter = filter.clone();
        let mut left = filter.limit.unwrap_or(usize::MAX);
        while left > 0 {
            let page = self.query(|connection| read::page(connection, &filter, left.min(PAGE)))?;
            let Some(last) = page.last() else {
                break;
            };
            filter.after = Some(last.id);
            left -= page.len();
            page.iter().try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// Intents of which nothing was released: abandoned ones, and ones reserved by writers that are dead.
    pub fn intents_without_result(&self) -> Result<Vec<Entry>, Error> {
        // Who is dead is asked first: a writer that ends meanwhile leaves nothing reserved.
        let dead = self.writers(false)?;
        let unsigned = self.query(read::unsigned)?;
        Ok(unsigned
            .into_iter()
            .filter(|entry| entry.state == State::Abandoned || dead.contains(&entry.writer))
            .collect())
    }

    /// How many entries there are in each state.
    pub fn counts(&self) -> Result<Counts, Error> {
        self.query(read::counts)
    }

    /// Calls `each` with every refused request, oldest first. Its first error ends the walk.
    pub fn refusals<E: From<Error>>(
        &self,
        mut each: impl FnMut(&Refusal) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = 0;
        loop {
            let page = self.query(|connection| read::refusals(connection, after, PAGE))?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.id;
            page.iter().try_for_each(&mut each)?;
        }
    }

    /// Names of the writers that are alive.
    pub fn live_writers(&self) -> Result<Vec<String>, Error> {
        self.writers(true)
    }

    /// Writers that have not ended and whose lock is held, or free.
    fn writers(&self, held: bool) -> Result<Vec<String>, Error> {
        let locks = Locks::of(self.path());
        let running = self.query(read::running)?;
        Ok(running
            .into_iter()
            .map(|(_, name)| name)
            .filter(|name| locks.is_held(name) == held)
            .collect())
    }
}

/// Entries read at once: about a megabyte.
const PAGE: usize = 500;
