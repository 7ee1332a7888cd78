//! The route to the servers, made when first needed, and anew in a forked child. It is let go
//! when its limiter is dropped.

use std::mem::forget;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::PyResult;

use crate::store::redis::{Route, RouteUse, Settings, generation};

/// Settings, and the route that is used for them with the generation it was made in.
pub(super) struct LazyRoute {
    settings: Settings,
    route: Mutex<Option<(u64, RouteUse)>>,
}

impl LazyRoute {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            route: Mutex::new(None),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn get(&self) -> PyResult<Arc<Route>> {
        let mut route = self.route.lock().unwrap_or_else(PoisonError::into_inner);
        match &*route {
            Some((made_in, used)) if *made_in == generation() => {
                return Ok(Arc::clone(used.route()));
            }
            _ => forget(route.take()), // a parent's
        }
        let made = RouteUse::of(&self.settings)?;
        let found = Arc::clone(made.route());
        *route = Some((generation(), made));
        Ok(found)
    }

    /// Let go of the connection, if nobody else uses it.
    pub(super) fn close(&self) {
        let mut route = self.route.lock().unwrap_or_else(PoisonError::into_inner);
        match route.take() {
            Some((made_in, used)) if made_in != generation() => forget(used),
            Some((_, used)) => used.release(),
            None => {}
        }
    }
}

impl Drop for LazyRoute {
    fn drop(&mut self) {
        let route = self.route.get_mut().unwrap_or_else(PoisonError::into_inner);
        if route
            .as_ref()
            .is_some_and(|(made_in, _)| *made_in != generation())
        {
            forget(route.take());
        }
    }
}
