//! Encryption: whom to trust, and who we are.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_native_certs::load_native_certs;

use super::settings::Tls;

/// What a handshake needs.
pub(super) fn config(tls: &Tls) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(trusted(tls)?);
    let mut config = match &tls.client {
        Some((certificates, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key).map_err(io::Error::other)?;
            builder
                .with_client_auth_cert(certificates_of(certificates)?, key)
                .map_err(io::Error::other)?
        }
        None => builder.with_no_client_auth(),
    };
    if tls.insecure {
        config.enable_sni = false;
        let any = Arc::new(Anybody(provider));
        config.dangerous().set_certificate_verifier(any);
    }
    Ok(Arc::new(config))
}

fn trusted(tls: &Tls) -> io::Result<RootCertStore> {
    let mut trusted = RootCertStore::empty();
    if let Some(authority) = &tls.authority {
        for certificate in certificates_of(authority)? {
            trusted.add(certificate).map_err(io::Error::other)?;
        }
    } else if !tls.insecure {
        let mut found = load_native_certs();
        if let Some(error) = found.errors.pop() {
            return Err(io::Error::other(error));
        }
        trusted.add_parsable_certificates(found.certs);
    }
    Ok(trusted)
}

fn certificates_of(text: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)
}

/// Accepts every certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
