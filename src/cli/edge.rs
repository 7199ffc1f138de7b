//! Where the library's questions to the outside are answered: PIN prompts, the environment, randomness, consent.

use std::cell::RefCell;
use std::io::{self, BufRead, IsTerminal, Write};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::report::tell;
use crate::authority;
use crate::authority::certify::{Consent, Preview};
use crate::error::Error;
use crate::token::PinEdge;

/// The terminal and the environment of this process.
pub struct Terminal;

impl PinEdge for Terminal {
    fn prompt(&self, token: &str) -> io::Result<Zeroizing<String>> {
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            return Err(io::Error::other("there is no terminal"));
        }
        rpassword::prompt_password(format!("PIN of token {token}: ")).map(Zeroizing::new)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Random bytes from the operating system.
pub fn entropy(buffer: &mut [u8]) -> bool {
    SystemRandom::new().fill(buffer).is_ok()
}

/// Who does something: the name that was given, else the login name.
pub fn who(given: Option<&str>) -> String {
    given
        .map(str::to_owned)
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Asks for a yes before something is done that others will notice; `given` answers without asking.
pub fn agree(question: &str, given: bool) -> Result<(), Error> {
    if given {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let message = format!("{question} Nobody is there to confirm it, and nothing was done");
        return Err(Error::usage(message, "add `--yes`"));
    }
    let _ = write!(io::stderr(), "{question} Go on? [y/N] ");
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Error::usage(error.to_string(), "try again"))?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Error::Usage {
            message: "nothing was done".to_owned(),
            hint: None,
        }),
    }
}

/// Shows each certificate before it is signed and asks: a yes for a server's, the CA's name for a CA's.
pub struct Reviewer<'a> {
    yes: bool,
    name: Option<&'a str>,
    problem: RefCell<Option<Error>>,
}

impl<'a> Reviewer<'a> {
    /// `yes` answers for servers, `name` for the CA of that common name.
    pub fn new(yes: bool, name: Option<&'a str>) -> Reviewer<'a> {
        let problem = RefCell::new(None);
        Reviewer { yes, name, problem }
    }

    /// Shows a preview and takes the answer.
    pub fn ask(&self, preview: &Preview) -> Consent {
        tell(&format!("this certificate is to be signed:\n{preview}"));
        let answer = match &preview.common_name {
            Some(name) if preview.is_ca => {
                let question = format!("`{}` becomes a CA of this factory.", preview.subject);
                confirm(&question, name, self.name)
            }
            _ => agree(
                &format!("`{}` gets this certificate.", preview.subject),
                self.yes,
            ),
        };
        match answer {
            Ok(()) => Consent::Given,
            Err(error) => {
                self.problem.replace(Some(error));
                Consent::Withheld
            }
        }
    }

    /// Why nobody agreed, in place of the bare fact.
    pub fn explain(self, error: authority::Error) -> Error {
        match (error, self.problem.into_inner()) {
            (authority::Error::Withheld(_), Some(problem)) => problem,
            (error, _) => error.into(),
        }
    }
}

/// Signs without showing: the command has asked already, or makes what its configuration says.
pub fn agreed(_: &Preview) -> Consent {
    Consent::Given
}

/// Asks for a name to be typed before something grave is done; `given` answers without asking.
pub fn confirm(question: &str, name: &str, given: Option<&str>) -> Result<(), Error> {
    let typed = match given {
        Some(given) => given.to_owned(),
        None if io::stdin().is_terminal() => {
            let _ = write!(io::stderr(), "{question} Type `{name}` to go on: ");
            let mut line = String::new();
            io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| Error::usage(error.to_string(), "try again"))?;
            line.trim_end().to_owned()
        }
        None => {
            let message = format!("{question} Nobody is there to confirm it, and nothing was done");
            return Err(Error::usage(message, format!("add `--confirm {name}`")));
        }
    };
    match typed == name {
        true => Ok(()),
        false => {
            let message = format!(
                "`{}` was given to confirm, wanted is `{name}`; nothing was done",
                typed.escape_debug()
            );
            Err(Error::Usage {
                message,
                hint: None,
            })
        }
    }
}
