//! What encodes a message that its sender goes on sharing: from a reference, field by field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use crate::codegen::with_fields;
use crate::ir::{ParsedEnum, ParsedVariant, VariantKind};
use crate::messages::path;
use crate::shared::is_copied;

/// The function of `Message` that does it. A field whose type cannot be written from a reference is
/// copied if it is `Clone`, and if its variant does not say `#[shared(no_copy)]`. With a field that
/// can be neither written nor copied, the function writes nothing.
pub(crate) fn to_outgoing(ast: &DeriveInput, parsed: &ParsedEnum) -> TokenStream {
    let copied: Vec<bool> = match &ast.data {
        Data::Enum(data) => data.variants.iter().map(|it| is_copied(&it.attrs)).collect(),
        // What its `#[shared]` says is of the whole message.
        Data::Struct(_) => vec![true],
        Data::Union(_) => Vec::new(),
    };
    let arms = parsed.variants.iter().zip(copied).map(|(variant, copied)| arm(variant, copied));
    let message = if parsed.variants.is_empty() {
        quote! { *self }
    } else {
        quote! { self }
    };
    quote! {
        fn to_outgoing(&self) -> ::core::result::Result<
            ::core::option::Option<::ractor::remoting::Outgoing>,
            ::ractor::message::BoxedDowncastErr,
        > {
            // Without their names, which may be those of the fields' types.
            #[allow(unused_imports)]
            use ::ractor::remoting::derived::{OrCopy as _, OrNot as _, OrNothing as _};
            match #message { #(#arms)* }
        }
    }
}

/// The arm of a variant.
fn arm(variant: &ParsedVariant, copied: bool) -> TokenStream {
    let none = quote! { ::core::result::Result::Ok(::core::option::Option::None) };
    if matches!(variant.kind, VariantKind::Call { .. }) {
        // A message with a port is not shared.
        let path = path(&variant.ident);
        return quote! { #path { .. } => #none, };
    }
    let args = if variant.data_fields.is_empty() {
        quote! { ::core::default::Default::default() }
    } else {
        let fields = variant.data_fields.iter().map(|(field, of)| {
            let written = if copied {
                quote! {
                    ::ractor::remoting::derived::Reference::<#of>::get()
                        .write(#field, &mut __encoder)?
                }
            } else {
                quote! { ::ractor::remoting::Encoder::field_ref::<#of>(&mut __encoder, #field)? }
            };
            quote! {
                if !#written {
                    ::ractor::remoting::Encoder::finish(__encoder).recycle();
                    return #none;
                }
            }
        });
        quote! {{
            let mut __encoder = ::ractor::remoting::Encoder::new();
            #(#fields)*
            ::ractor::remoting::Encoder::finish(__encoder)
        }}
    };
    let (pattern, tag) = (with_fields(variant, None), &variant.variant_tag);
    quote! {
        #pattern => ::core::result::Result::Ok(::core::option::Option::Some(
            ::ractor::remoting::Outgoing::cast(#tag, #args),
        )),
    }
}
