//! What `RactorClusterMessage` generates.
//!
//! Encoding and decoding, field by field, is what takes no copy; stock's `serialize` and
//! `deserialize` go by these. Names in what is generated begin with two underscores, beside the
//! fields'.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::DeriveInput;

use crate::ir::{FieldStyle, ParsedEnum, ParsedVariant, VariantKind};
use crate::messages::{path, ClusterMessage};
use crate::{by_reference, shared};

pub(crate) fn expand_cluster_message(message: &ClusterMessage<'_>) -> TokenStream {
    let ClusterMessage { ast, parsed } = message;
    shared::complete(ast, implementation(ast, parsed))
}

fn implementation(ast: &DeriveInput, parsed: &ParsedEnum) -> TokenStream {
    let name = &parsed.ident;
    let (impl_generics, ty_generics, where_clause) = parsed.generics.split_for_impl();
    let encoding = parsed.variants.iter().map(encode);
    let to_outgoing = by_reference::to_outgoing(ast, parsed);
    let decoding = decode_all(&parsed.variants);

    quote! {
        #[automatically_derived]
        impl #impl_generics ::ractor::Message for #name #ty_generics #where_clause {
            const MYCELIUM_DERIVE: bool = true;
            const TAKES_LENT: bool = true;

            fn serializable() -> bool {
                true
            }

            fn serialize(self) -> ::core::result::Result<
                ::ractor::message::SerializedMessage,
                ::ractor::message::BoxedDowncastErr,
            > {
                ::ractor::remoting::derived::serialize(self)
            }

            fn deserialize(
                __message: ::ractor::message::SerializedMessage,
            ) -> ::core::result::Result<Self, ::ractor::message::BoxedDowncastErr> {
                ::ractor::remoting::derived::deserialize(__message)
            }

            fn into_outgoing(self) -> ::core::result::Result<
                ::ractor::remoting::Outgoing,
                ::ractor::message::BoxedDowncastErr,
            > {
                match self { #(#encoding)* }
            }

            #to_outgoing

            fn from_incoming(
                __incoming: ::ractor::remoting::Incoming<'_>,
            ) -> ::core::result::Result<Self, ::ractor::message::BoxedDowncastErr> {
                let ::ractor::remoting::Incoming {
                    variant: __variant,
                    args: __args,
                    lent: __lent,
                    reply: __reply,
                    ..
                } = __incoming;
                #decoding
            }

            fn arc_from_incoming(
                __incoming: ::ractor::remoting::Incoming<'_>,
            ) -> ::core::option::Option<::core::result::Result<
                ::ractor::message::ArcMessage,
                ::ractor::message::BoxedDowncastErr,
            >> {
                // All of it, since one of the two traits is the wrong one.
                use ::ractor::remoting::derived::*;
                Probe::<Self>::get().together(__incoming)
            }
        }
    }
}

/// The arm that encodes a variant.
fn encode(variant: &ParsedVariant) -> TokenStream {
    let tag = &variant.variant_tag;
    let args = if variant.data_fields.is_empty() {
        quote! { ::core::default::Default::default() }
    } else {
        let fields = variant.data_fields.iter().map(|(field, of)| {
            quote! { ::ractor::remoting::Encoder::field::<#of>(&mut __encoder, #field)?; }
        });
        quote! {{
            let mut __encoder = ::ractor::remoting::Encoder::new();
            #(#fields)*
            ::ractor::remoting::Encoder::finish(__encoder)
        }}
    };
    let (port, message) = match &variant.kind {
        VariantKind::Cast => (None, quote! { ::ractor::remoting::Outgoing::cast(#tag, #args) }),
        VariantKind::Call { reply_port_generic_args, reply_port_field_name: port, .. } => {
            let message = quote! {
                ::ractor::remoting::Outgoing::call(
                    #tag,
                    #args,
                    <::ractor::RpcReplyPort #reply_port_generic_args>::into_serialized(#port),
                )
            };
            (Some(port), message)
        }
    };
    let pattern = with_fields(variant, port);
    quote! { #pattern => ::core::result::Result::Ok(#message), }
}

/// What decodes any of the variants, casts by the one match and calls by the other.
fn decode_all(variants: &[ParsedVariant]) -> TokenStream {
    let (calls, casts): (Vec<_>, Vec<_>) =
        variants.iter().partition(|it| matches!(it.kind, VariantKind::Call { .. }));
    let port = if calls.is_empty() {
        quote! { _ }
    } else {
        quote! { __reply }
    };
    let (casts, calls) = (decode_some(&casts), decode_some(&calls));
    quote! {
        match __reply {
            ::core::option::Option::None => #casts,
            ::core::option::Option::Some(#port) => #calls,
        }
    }
}

fn decode_some(variants: &[&ParsedVariant]) -> TokenStream {
    let unknown = quote! { ::core::result::Result::Err(::ractor::message::BoxedDowncastErr) };
    if variants.is_empty() {
        return unknown;
    }
    let arms = variants.iter().map(|variant| decode(variant));
    quote! {
        match __variant {
            #(#arms)*
            _ => #unknown,
        }
    }
}

/// The arm that decodes a variant.
fn decode(variant: &ParsedVariant) -> TokenStream {
    let tag = &variant.variant_tag;
    let fields = if let Some(((last, of), fields)) = variant.data_fields.split_last() {
        let fields = fields.iter().map(|(field, of)| {
            quote! { let #field = ::ractor::remoting::Fields::field::<#of>(&mut __fields)?; }
        });
        // The last one gets all that is left, and with it the memory, if no other reference is
        // left.
        let before = fields.len();
        quote! {
            let (mut __args, mut __lent) = (__args, __lent);
            ::ractor::remoting::derived::arrange(&mut __args, &mut __lent, #before);
            #[allow(unused_mut)]
            let mut __fields = ::ractor::remoting::Fields::of(&__args);
            #(#fields)*
            let __at = ::ractor::remoting::derived::place(__fields, &__lent)?;
            let #last =
                ::ractor::remoting::derived::last_or_lent::<#of>(__args, __at, __lent);
        }
    } else {
        quote! {
            let (mut __args, mut __lent) = (__args, __lent);
            ::ractor::remoting::derived::arrange(&mut __args, &mut __lent, 0);
            ::ractor::remoting::Fields::of(&__args).end()?;
        }
    };
    let (port, making_port) = match &variant.kind {
        VariantKind::Cast => (None, None),
        VariantKind::Call { reply_port_generic_args, reply_port_field_name: port, .. } => {
            let making = quote! {
                let #port =
                    <::ractor::RpcReplyPort #reply_port_generic_args>::from_serialized(__reply);
            };
            (Some(port), Some(making))
        }
    };
    let message = with_fields(variant, port);
    quote! {
        #tag => {
            #fields
            #making_port
            ::core::result::Result::Ok(#message)
        }
    }
}

/// The variant with all its fields by name, as a pattern or as what makes it.
pub(crate) fn with_fields(variant: &ParsedVariant, port: Option<&Ident>) -> TokenStream {
    let path = path(&variant.ident);
    let fields = variant.data_fields.iter().map(|(field, _)| field);
    match variant.field_style {
        FieldStyle::Named => {
            let fields = fields.chain(port);
            quote! { #path { #(#fields),* } }
        }
        FieldStyle::Tuple => {
            let mut fields: Vec<&Ident> = fields.collect();
            if let VariantKind::Call { reply_port_index, .. } = variant.kind {
                fields.splice(reply_port_index..reply_port_index, port);
            }
            // By number, which variants without fields have none of: `Halt {}` is `Halt`.
            let numbered = fields.iter().enumerate().map(|(number, field)| {
                let number = syn::Index::from(number);
                quote! { #number: #field }
            });
            quote! { #path { #(#numbered),* } }
        }
    }
}
