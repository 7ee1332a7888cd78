//! A request's answer, on its way out: the first message gets the fields of the quota.

pub(super) mod quota_fields;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::decision::PyDecision;
use super::gate::{PyGateDecision, PyGateFields};
use quota_fields::PyQuotaFields;

/// An answer's `own` fields and those of a decision, which these fields make: of one limit, or of several.
/// `None` if that is not all there is to do.
fn beside<'py>(
    fields: &Bound<'py, PyAny>,
    decision: &Bound<'py, PyAny>,
    own: &Bound<'py, PyAny>,
    asked: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    if let Ok(fields) = fields.cast::<PyQuotaFields>() {
        return match decision.cast::<PyDecision>() {
            Ok(decision) => (fields.get()).beside(own.py(), &decision.get().0, own, asked),
            Err(_) => Ok(None),
        };
    }
    match (
        fields.cast::<PyGateFields>(),
        decision.cast::<PyGateDecision>(),
    ) {
        (Ok(fields), Ok(decision)) => fields.get().beside(decision.get(), own, asked),
        _ => Ok(None),
    }
}

/// Sends an answer on to ``out``: the first message with the ``fields`` of one decision, or as the
/// ``request`` writes it where more belongs into it.
#[pyclass(frozen, name = "Answer", module = "sluicegate._core")]
pub(super) struct PyAnswer {
    /// Whose quota the request is charged to, and what is made of that when somebody asks.
    unasked: Option<(Py<PyAny>, Py<PyPlainRequests>)>,
    request: PyOnceLock<Py<PyAny>>,
    decision: Option<Py<PyAny>>,
    fields: Option<Py<PyAny>>,
    headers: Py<PyAny>,
    out: Py<PyAny>,
}

impl PyAnswer {
    /// The first message with no more than the quota's fields; `None` if that is not all.
    fn plain<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = message.py();
        let mut refused = None;
        if let Some(request) = self.request.get(py) {
            let request = request.bind(py);
            if !request.getattr(intern!(py, "later"))?.is_none() {
                return Ok(None);
            }
            let refusal = request.getattr(intern!(py, "refused"))?;
            refused = (!refusal.is_none()).then_some(request);
        }
        let (Some(fields), Some(decision)) = (&self.fields, &self.decision) else {
            return Ok(refused.is_none().then(|| message.clone()));
        };
        let Ok(message) = message.cast::<PyDict>() else {
            return Ok(None);
        };
        let (status, own) = (intern!(py, "status"), intern!(py, "headers"));
        if let Some(status) = message.get_item(status)?
            && (300..400).contains(&status.extract::<u16>()?)
        {
            return Ok(refused.is_none().then(|| message.clone().into_any()));
        }
        let Some(sent) = message.get_item(own)? else {
            return Ok(None);
        };
        let headers = self.headers.bind(py);
        let Some(fields) = beside(fields.bind(py), decision.bind(py), &sent, headers)? else {
            return Ok(None);
        };
        if let Some(request) = refused {
            request.call_method1(intern!(py, "mark"), (message, &fields))?;
        }
        // A copy: a message that is sent twice must not collect ours.
        let message = message.copy()?;
        message.set_item(own, fields)?;
        Ok(Some(message.into_any()))
    }
}

#[pymethods]
impl PyAnswer {
    #[new]
    fn new(
        py: Python<'_>,
        request: Py<PyAny>,
        decision: Option<Py<PyAny>>,
        fields: Option<Py<PyAny>>,
        headers: Py<PyAny>,
        out: Py<PyAny>,
    ) -> Self {
        let asked = PyOnceLock::new();
        _ = asked.set(py, request);
        Self {
            unasked: None,
            request: asked,
            decision,
            fields,
            headers,
            out,
        }
    }

    /// Send it on, to be awaited.
    fn send<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = message.py();
        let out = self.out.bind(py);
        if !is_first(&message.get_item(intern!(py, "type"))?) {
            return out.call1((message,));
        }
        let first = if let Some(first) = self.plain(message)? {
            first
        } else {
            let request = self.asked(py)?.into_bound(py);
            request.call_method1(intern!(py, "whole"), (message,))?
        };
        out.call1((first,))
    }

    /// The request that is answered. Most often nobody asks for one that is admitted.
    fn asked(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let (None, Some((key, plain))) = (self.request.get(py), &self.unasked) {
            let parts = (key, &self.decision, &self.headers);
            let request = plain.get().request.call1(py, parts)?;
            _ = self.request.set(py, request);
        }
        let request = self.request.get(py);
        Ok(request.map_or_else(|| py.None(), |request| request.clone_ref(py)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.headers)?;
        visit.call(&self.out)
    }
}

/// Requests that a policy without options admits: each costs one check of one limiter, by the
/// client's address.
#[pyclass(frozen, name = "PlainRequests", module = "sluicegate._core")]
pub(super) struct PyPlainRequests {
    check: Py<PyAny>,
    address: Py<PyAny>,
    known: Py<PyDict>,
    quota: Option<Py<PyAny>>,
    request: Py<PyAny>,
}

#[pymethods]
impl PyPlainRequests {
    /// ``address`` gives a scope's key, if ``known`` has none for the peer; ``quota`` has ``made``,
    /// the fields that are sent; ``request`` makes one of its key, decision and header fields.
    #[new]
    fn new(
        check: Py<PyAny>,
        address: Py<PyAny>,
        known: Py<PyDict>,
        quota: Option<Py<PyAny>>,
        request: Py<PyAny>,
    ) -> Self {
        Self {
            check,
            address,
            known,
            quota,
            request,
        }
    }

    /// Check a request: where its answer goes, if it is admitted at once; else its key and what the
    /// check has returned; ``None`` for a request that is not plain.
    fn admit<'py>(
        slf: &Bound<'py, Self>,
        scope: &Bound<'py, PyAny>,
        out: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = scope.py();
        let (plain, request) = (slf.get(), intern!(py, "sluicegate.request"));
        let Ok(scope) = scope.cast::<PyDict>() else {
            return Ok(None);
        };
        let says = |name, word: &str| {
            let said = scope.get_item(name)?;
            Ok::<_, PyErr>(said.is_some_and(|said| is_str(&said, word)))
        };
        if !says(intern!(py, "type"), "http")?
            || says(intern!(py, "method"), "OPTIONS")?
            || scope.contains(intern!(py, "user"))?
            || scope.contains(request)?
        {
            return Ok(None);
        }
        let key = match plain.known_key(scope)? {
            Some(key) => key,
            None => plain.address.bind(py).call1((scope,))?,
        };
        let decision = plain.check.bind(py).call1((&key,))?;
        let is_admitted = decision
            .cast::<PyDecision>()
            .is_ok_and(|decision| decision.get().0.allowed);
        if !is_admitted {
            return Ok(Some((key, decision).into_pyobject(py)?.into_any()));
        }
        let fields = match &plain.quota {
            Some(quota) => Some(quota.getattr(py, intern!(py, "made"))?),
            None => None,
        };
        let headers = match scope.get_item(intern!(py, "headers"))? {
            Some(headers) => headers.unbind(),
            None => PyTuple::empty(py).into_any().unbind(),
        };
        scope.set_item(intern!(py, "sluicegate.decision"), &decision)?;
        let answer = PyAnswer {
            unasked: Some((key.unbind(), slf.clone().unbind())),
            request: PyOnceLock::new(),
            decision: Some(decision.unbind()),
            fields,
            headers,
            out,
        };
        let answer = Bound::new(py, answer)?.into_any();
        scope.set_item(request, &answer)?;
        Ok(Some(answer))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for each in [&self.check, &self.address, &self.request] {
            visit.call(each)?;
        }
        visit.call(&self.known)?;
        visit.call(&self.quota)
    }
}

impl PyPlainRequests {
    /// The key of a peer that is known by its host.
    fn known_key<'py>(&self, scope: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = scope.py();
        let Some(client) = scope.get_item(intern!(py, "client"))? else {
            return Ok(None);
        };
        let Ok(host) = client.get_item(0) else {
            return Ok(None);
        };
        if !host.is_instance_of::<PyString>() {
            return Ok(None); // it may have no hash
        }
        self.known.bind(py).get_item(host)
    }
}

fn is_str(value: &Bound<'_, PyAny>, word: &str) -> bool {
    value
        .cast::<PyString>()
        .is_ok_and(|text| text.to_str().is_ok_and(|text| text == word))
}

/// Whether a message of this type begins an answer.
fn is_first(kind: &Bound<'_, PyAny>) -> bool {
    let Ok(kind) = kind.cast::<PyString>() else {
        return false;
    };
    matches!(
        kind.to_str(),
        Ok("http.response.start" | "websocket.accept" | "websocket.http.response.start")
    )
}
