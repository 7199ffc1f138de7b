//! The same request at two endpoints at once: both register the device, and one of them hears that it exists.

use std::sync::Arc;
use std::sync::mpsc::channel;

use crate::backend::Backend;
use crate::device::{Request, Told, uuid};
use crate::line::Line;
use crate::server::Server;
use crate::support::http::Answer;

#[test]
fn an_endpoint_whose_put_comes_second_gives_the_same_certificate() {
    let scene = Scene::new();
    let (one, other) = (scene.ask(0), scene.ask(1));
    let (told, heard) = channel();
    // The second endpoint has answered before the first one's PUT is carried out.
    scene.backend.plan(move |carry_out| {
        told.send(other()).unwrap();
        carry_out()
    });
    scene.assert_both(one(), heard.recv().unwrap());
}

#[test]
fn an_endpoint_whose_answer_comes_second_gives_the_same_certificate() {
    let scene = Scene::new();
    let (one, other) = (scene.ask(0), scene.ask(1));
    let (carried_out, go_on) = channel();
    let (told, heard) = channel();
    let (first_is_told, answer_now) = channel();
    let backend = scene.backend.clone();
    // The second one's PUT is carried out first, and answered when the device has heard from the first one.
    scene.backend.plan(move |carry_out| {
        backend.plan(move |carry_out| {
            let answer = carry_out();
            carried_out.send(()).unwrap();
            Answer::First(
                Box::new(move || answer_now.recv().unwrap()),
                Box::new(answer),
            )
        });
        std::thread::spawn(move || told.send(other()));
        go_on.recv().unwrap();
        carry_out()
    });
    let first = one();
    first_is_told.send(()).unwrap();
    scene.assert_both(first, heard.recv().unwrap());
}

struct Scene {
    line: Arc<Line>,
    servers: [Arc<Server>; 2],
    backend: Arc<Backend>,
    request: Request,
    token: String,
}

impl Scene {
    fn new() -> Scene {
        let backend = Backend::start();
        backend.serves(2);
        let line = Arc::new(Line::embedded(Some(backend.clone())));
        let token = line.factory.registrar("line", "");
        let servers = [Server::new(&line), Server::new(&line)];
        servers.iter().for_each(|server| server.start_ready());
        Scene {
            servers,
            backend,
            request: Request::new(&uuid(0x4ace, 0)),
            token,
            line,
        }
    }

    fn ask(&self, place: usize) -> impl FnOnce() -> Told + Send + use<> {
        let (request, token) = (self.request.clone(), self.token.clone());
        let port = self.servers[place].port;
        move || request.send(port, &token)
    }

    fn assert_both(&self, first: Told, second: Told) {
        self.servers.iter().for_each(|server| server.stop_well());
        let books = self.line.assert_settled();
        let story = || books.story(&self.request.uuid);
        let live = books
            .live()
            .get(&*self.request.uuid)
            .map(|entry| entry.serial.to_string());
        assert!(live.is_some(), "{first:?}\n{second:?}\n{}", story());
        assert_eq!(first.serial(), live, "{first:?}\n{}", story());
        assert_eq!(second.serial(), live, "{second:?}\n{}", story());
        assert_eq!(self.backend.knows(&self.request.uuid), live);
    }
}
