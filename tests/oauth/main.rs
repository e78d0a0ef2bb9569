//! OAuth for simulated clients against a protected resource and an authorization server that can be told to misbehave.

#[cfg(test)]
mod discovery;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tokens;
