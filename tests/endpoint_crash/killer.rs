//! Kills servers at random moments and starts them again at once.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::chance::{Chance, scaled};
use crate::server::Server;

/// Kills one of the servers after the other, mostly with kill -9, sometimes with SIGTERM; at least once with kill -9.
pub fn kill_at_random(servers: &[Arc<Server>], chance: &Chance, time: Duration) {
    let begun = Instant::now();
    let (mut kills, mut stops) = (0, 0);
    while begun.elapsed() < time || kills == 0 {
        // Mostly soon, now and then it lives for a while.
        let longest = match chance.one_in(6) {
            true => Duration::from_secs(scaled(3, 20)),
            false => Duration::from_millis(900),
        };
        std::thread::sleep(chance.within(longest.min(time)));
        let server = &servers[chance.below(servers.len() as u64) as usize];
        match chance.one_in(8) {
            true => {
                stops += 1;
                stop_whenever(server);
            }
            false => {
                kills += 1;
                server.kill();
            }
        }
        server.start();
    }
    println!("killed {kills} times, stopped {stops} times");
    servers.iter().for_each(|server| server.wait_until_ready());
}

/// Tells others, however it comes to its end, that it is over.
pub struct Ending<'a>(pub &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stop ends well, unless it came before the server could know of it.
fn stop_whenever(server: &Server) {
    let status = server.stop();
    let too_early = status.signal() == Some(15) && !server.has_listened();
    assert!(status.success() || too_early, "{status}\n{}", server.log());
}
