//! Membership
mod fragment;
mod peers;
mod refused;
mod seal;
mod window;
