//! One registration at a time for each device.
//!
//! Two requests for one device that come together are answered one after the other, so the second finds what became of
//! the first: the same certificate, or the reason why there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

/// The devices that are being registered.
#[derive(Clone, Default)]
pub(super) struct Devices(Arc<Mutex<HashMap<String, Arc<Turn<()>>>>>);

/// A device's turn, as long as it lives.
pub(super) struct DeviceTurn {
    devices: Devices,
    device: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Devices {
    /// Waits for a device's turn; `None` when it did not come in time.
    pub(super) async fn turn(&self, device: &str, until: Instant) -> Option<DeviceTurn> {
        let turn = self.map().entry(device.to_owned()).or_default().clone();
        let waited = DeviceTurn {
            devices: self.clone(),
            device: device.to_owned(),
            guard: None,
        };
        let guard = timeout_at(until, turn.lock_owned()).await.ok()?;
        let mut taken = waited;
        taken.guard = Some(guard);
        Some(taken)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<Turn<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DeviceTurn {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut map = self.devices.map();
        // Those who wait hold the turn, too.
        let unused = |turn: &Arc<Turn<()>>| Arc::strong_count(turn) == 1;
        if map.get(&self.device).is_some_and(unused) {
            map.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_device_has_one_turn_at_a_time_and_leaves_nothing_behind() {
        let devices = Devices::default();
        let soon = || Instant::now() + Duration::from_millis(50);
        let first = devices.turn("a", soon()).await.unwrap();
        assert!(devices.turn("b", soon()).await.is_some());
        assert!(devices.turn("a", soon()).await.is_none());
        let waiting = tokio::spawn({
            let devices = devices.clone();
            async move { devices.turn("a", soon()).await.is_some() }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(first);
        assert!(waiting.await.unwrap());
        assert!(devices.map().is_empty());
    }
}
