//! One renderer for what commands report, and one for errors.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::output::file::OutputError;

/// What a command reports: data for stdout, notes for people on stderr.
pub struct Report {
    /// The data, as text.
    pub text: String,
    /// The same data for machines.
    pub json: Value,
    /// What people are told; not shown with --json.
    pub notes: Vec<String>,
    /// How the command ends.
    pub exit: Exit,
}

impl Report {
    /// A report of a command that did what it was asked.
    pub fn new(text: impl Into<String>, json: Value) -> Report {
        Report {
            text: text.into(),
            json,
            notes: Vec::new(),
            exit: Exit::Done,
        }
    }

    /// A report whose success is one line for people: what, where, next step.
    pub fn done(note: impl Into<String>, json: Value) -> Report {
        Report::new("", json).note(note)
    }

    /// Adds a line for people.
    pub fn note(mut self, note: impl Into<String>) -> Report {
        self.notes.push(note.into());
        self
    }

    /// Puts earlier lines before the report's own.
    pub fn after(mut self, earlier: Vec<String>) -> Report {
        self.notes.splice(0..0, earlier);
        self
    }

    /// Prints the report. A reader of stdout that has gone away is no error; a full disk behind it is.
    pub fn print(self, json: bool) -> ExitCode {
        let text = match json {
            // The data went to stdout already.
            true if self.json.is_null() => String::new(),
            true => format!("{:#}\n", self.json),
            false => self.text,
        };
        let mut stdout = io::stdout();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let error = OutputError::Write("stdout".into(), error);
                return print_error(&error.into(), json);
            }
            _ => {}
        }
        if !json {
            self.notes.iter().for_each(|note| tell(note));
        }
        ExitCode::from(self.exit.code())
    }
}

/// Prints an error as STYLE wants it: what, causes, hint.
pub fn print_error(error: &Error, json: bool) -> ExitCode {
    let explanation = error.explain();
    let mut lines = error.lines();
    if json {
        let message = lines.join(": ");
        let error = json!({"code": explanation.code, "message": message, "hint": explanation.hint});
        tell(&json!({ "error": error }).to_string());
    } else {
        tell(&format!("error: {}", lines.remove(0)));
        lines
            .iter()
            .for_each(|line| tell(&format!("  Caused by: {line}")));
        if let Some(hint) = explanation.hint {
            tell(&format!("hint: {hint}"));
        }
    }
    ExitCode::from(explanation.exit.code())
}

/// Tells people something. Nobody to hear it is no reason to fail: what is done is done.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A table with aligned columns: the first row is the head.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Rows of a table from string slices.
pub fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
