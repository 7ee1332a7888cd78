//! A TOML text as nodes: every key and every value with its line.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Error};

/// Deeper than any file that means something, and not too deep to walk.
const DEEPEST: usize = 100;

/// An error's line and column, from 1, and what it says.
type Told = (usize, usize, String);

/// The nodes of a TOML text, and its errors: ``(line, column, reason)``, both from 1.
///
/// A node is ``(line, value)``: a ``str``, ``int``, ``float``, ``bool``, ``None`` for what cannot be
/// read, ``("a date",)``, a list of nodes, or a dict of ``(line of the key, node)``, as they are written.
/// What stands beside an error is there as far as it could be understood.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(super) fn read_toml<'py>(
    py: Python<'py>,
    text: &str,
) -> PyResult<(Bound<'py, PyAny>, Vec<Told>)> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors.iter().map(|error| lines.told(error)).collect();
    let mut nodes = Nodes {
        py,
        lines: &lines,
        errors,
    };
    let root = nodes.table(table.get_ref(), DEEPEST)?;
    Ok(((1, root).into_pyobject(py)?.into_any(), nodes.errors))
}

/// Where the lines of a text begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1));
        Self {
            text,
            starts: starts.collect(),
        }
    }

    /// The line of a byte, from 1.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Its line and its column in characters, from 1.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let before = self.text.get(self.starts[line - 1]..at);
        (line, before.map_or(0, |before| before.chars().count()) + 1)
    }

    fn told(&self, error: &Error) -> Told {
        let span = error.span().unwrap_or_default();
        let (line, column) = self.place(span.start);
        let said = match (error.message(), self.text.get(span)) {
            ("duplicate key", Some(key)) => format!("{key} is given twice: leave one out"),
            (message, _) => message.to_owned(),
        };
        (line, column, said)
    }
}

/// Makes Python objects: a node is `(line, value)`, and a table a dict of `(line of the key, node)`.
struct Nodes<'py, 'a> {
    py: Python<'py>,
    lines: &'a Lines<'a>,
    errors: Vec<Told>,
}

impl<'py> Nodes<'py, '_> {
    fn table(&mut self, table: &DeTable<'_>, room: usize) -> PyResult<Bound<'py, PyAny>> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start); // as they are written
        let found = PyDict::new(self.py);
        for (key, value) in entries {
            let line = self.lines.line(key.span().start);
            found.set_item(key.get_ref().as_ref(), (line, self.node(value, room)?))?;
        }
        Ok(found.into_any())
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, room: usize) -> PyResult<Bound<'py, PyAny>> {
        let (line, column) = self.lines.place(value.span().start);
        let made = match (value.get_ref(), room.checked_sub(1)) {
            (DeValue::Table(table), Some(room)) => self.table(table, room)?,
            (DeValue::Array(array), Some(room)) => self.list(array, room)?,
            (DeValue::Table(_) | DeValue::Array(_), None) => {
                self.refuse(line, column, "it is nested too deeply")
            }
            (DeValue::String(text), _) => PyString::new(self.py, text).into_any(),
            (DeValue::Boolean(truth), _) => truth.into_pyobject(self.py)?.to_owned().into_any(),
            (DeValue::Integer(number), _) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => number.into_pyobject(self.py)?.into_any(),
                    Err(_) => self.refuse(line, column, "the number does not fit 64 bits"),
                }
            }
            (DeValue::Float(number), _) => match number.as_str().parse::<f64>() {
                Ok(number) => number.into_pyobject(self.py)?.into_any(),
                Err(_) => self.refuse(line, column, "this is no number"),
            },
            (DeValue::Datetime(_), _) => ("a date",).into_pyobject(self.py)?.into_any(),
        };
        Ok((line, made).into_pyobject(self.py)?.into_any())
    }

    fn list(&mut self, array: &DeArray<'_>, room: usize) -> PyResult<Bound<'py, PyAny>> {
        let found = PyList::empty(self.py);
        for value in array {
            found.append(self.node(value, room)?)?;
        }
        Ok(found.into_any())
    }

    fn refuse(&mut self, line: usize, column: usize, why: &str) -> Bound<'py, PyAny> {
        self.errors.push((line, column, why.to_owned()));
        self.py.None().into_bound(self.py)
    }
}
