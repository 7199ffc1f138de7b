//! A registrar's token is good from the moment it was made, however often strangers ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::device::{Request, Told, uuid};
use crate::killer::Ending;
use crate::line::Line;
use crate::server::Server;

#[test]
fn a_token_that_was_made_just_now_is_known() {
    let line = Arc::new(Line::embedded(None));
    let server = Server::new(&line);
    server.start_ready();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ending = Ending(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let told = Request::new(&uuid(0x57a9, 0)).send(server.port, "fcr_nobodys");
                assert!(matches!(told, Told::Problem(answer) if answer.status == 401));
            }
        });
        for number in 0..10 {
            let token = line.factory.registrar(&format!("new-{number}"), "");
            let device = Request::new(&uuid(0x0e13, number));
            device.send(server.port, &token).certificate();
        }
    });
    server.stop_well();
    line.assert_settled();
}
