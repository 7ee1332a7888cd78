//! Settings, from the values that Python has checked.

use std::fs;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::store::redis::{Settings, Tls, Topology};

impl<'a, 'py> FromPyObject<'a, 'py> for Settings {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let get = |name: &str| value.getattr(name);
        let topology: String = get("topology")?.extract()?;
        let tls = if get("tls")?.extract()? {
            let client = match (
                file(value, "cert_file", "ssl_certfile")?,
                file(value, "key_file", "ssl_keyfile")?,
            ) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                _ => None,
            };
            Some(Tls {
                insecure: get("tls_insecure")?.extract()?,
                authority: authority(value)?,
                client,
            })
        } else {
            None
        };
        Ok(Self {
            topology: match topology.as_str() {
                "cluster" => Topology::Cluster,
                "sentinel" => Topology::Sentinel,
                _ => Topology::Standalone,
            },
            nodes: get("nodes")?.extract()?,
            unix_path: get("unix_path")?.extract()?,
            db: get("db")?.extract()?,
            username: get("username")?.extract()?,
            password: get("password")?.extract()?,
            tls,
            service: get("service")?.extract()?,
            sentinel_login: (
                get("sentinel_username")?.extract()?,
                get("sentinel_password")?.extract()?,
            ),
            client_name: get("client_name")?.extract()?,
        })
    }
}

/// Certificates to trust. Connecting would fail for ever by a file that holds none.
fn authority(settings: Borrowed<'_, '_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    let Some(text) = file(settings, "ca_file", "ssl_ca_certs")? else {
        return Ok(None);
    };
    let mut trusted = RootCertStore::empty();
    let all_are_good = CertificateDer::pem_slice_iter(&text)
        .all(|found| found.is_ok_and(|certificate| trusted.add(certificate).is_ok()));
    if all_are_good && !trusted.is_empty() {
        return Ok(Some(text));
    }
    let path: String = settings.getattr("ca_file")?.extract()?;
    Err(PyValueError::new_err(format!(
        "redis: ssl_ca_certs must name a file of PEM certificates, got {path:?}"
    )))
}

/// The bytes of a file. `option` is what users call it.
fn file(settings: Borrowed<'_, '_, PyAny>, name: &str, option: &str) -> PyResult<Option<Vec<u8>>> {
    let Some(path) = settings.getattr(name)?.extract::<Option<String>>()? else {
        return Ok(None);
    };
    fs::read(&path).map(Some).map_err(|error| {
        PyValueError::new_err(format!("redis: {option} {path:?} cannot be read: {error}"))
    })
}
