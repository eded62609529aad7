//! `#[derive(BytesConvertable)]`: structs and enums whose fields have a form as bytes.
//!
//! A value is written as the variant of a message is: its fields one after the other, each behind
//! its length. An enum has 4 bytes in front of them that say which variant it is, by its place.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned, ToTokens};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Member, Result, Type};

use crate::shared::mentions;

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    syn::parse2(input).and_then(|ast| expand(&ast)).unwrap_or_else(Error::into_compile_error)
}

/// A struct, or a variant of an enum.
struct Shape<'a> {
    path: TokenStream,
    fields: Vec<(Member, &'a Type)>,
    /// Its place among the variants.
    place: Option<u32>,
}

impl<'a> Shape<'a> {
    fn new(path: TokenStream, fields: &'a Fields, place: Option<u32>) -> Self {
        let fields = fields.members().zip(fields.iter().map(|field| &field.ty)).collect();
        Self { path, fields, place }
    }

    fn names(&self) -> Vec<Ident> {
        (0..self.fields.len()).map(|number| format_ident!("__field{number}")).collect()
    }

    /// The shape with all its fields by name, as a pattern or as what makes it.
    fn with_fields(&self) -> TokenStream {
        let path = &self.path;
        let fields = self.fields.iter().zip(self.names()).map(|((member, _), name)| {
            quote! { #member: #name }
        });
        quote! { #path { #(#fields),* } }
    }

    /// The arm of each function that writes, or tells the length.
    fn arm(&self, of: impl Fn(&[Ident], &[&Type]) -> TokenStream) -> TokenStream {
        let types: Vec<&Type> = self.fields.iter().map(|(_, of)| *of).collect();
        let (pattern, body) = (self.with_fields(), of(&self.names(), &types));
        quote! { #pattern => { #body } }
    }

    fn put_place(&self) -> Option<TokenStream> {
        let place = self.place?;
        Some(quote! { __encoder.put_slice(&::core::primitive::u32::to_be_bytes(#place)); })
    }

    fn length(&self) -> TokenStream {
        let place = self.place.map_or(0_usize, |_| 4);
        self.arm(|names, types| {
            let lengths = names.iter().zip(types).map(|(name, of)| {
                quote! { <#of as ::ractor::BytesConvertable>::bytes_len(#name) }
            });
            quote! {
                ::ractor::remoting::derived::fields_len([#(#lengths),*])
                    .and_then(|__length| __length.checked_add(#place))
            }
        })
    }

    fn write(&self) -> TokenStream {
        let place = self.put_place();
        self.arm(|names, types| {
            quote! {
                #place
                #(::ractor::remoting::derived::put_field::<#types>(__encoder, #names);)*
            }
        })
    }

    fn write_ref(&self) -> TokenStream {
        let place = self.put_place();
        self.arm(|names, types| {
            quote! {
                #place
                true #(&& ::ractor::remoting::derived::put_field_ref::<#types>(__encoder, #names))*
            }
        })
    }

    /// What reads the fields and makes the value of them.
    fn read(&self) -> TokenStream {
        let (names, value) = (self.names(), self.with_fields());
        let fields = self.fields.iter().zip(&names).map(|((_, of), name)| {
            // On the type's own place, where the compiler then says that it has no such form.
            quote_spanned! { of.span() =>
                let #name = ::ractor::remoting::derived::next_field::<Self, #of>(&mut __fields);
            }
        });
        quote! {
            #(#fields)*
            ::ractor::remoting::derived::end_of_fields::<Self>(__fields);
            #value
        }
    }

    /// What makes the value of fields, the last of which ends in memory of the sender, and returns
    /// it where that is so.
    fn read_split(&self) -> Option<TokenStream> {
        let (names, value) = (self.names(), self.with_fields());
        let ((_, last_of), others) = self.fields.split_last()?;
        let (last, names) = names.split_last()?;
        let before = others.len();
        let fields = others.iter().zip(names).map(|((_, of), name)| {
            quote! {
                let #name = ::ractor::remoting::derived::next_field::<Self, #of>(&mut __fields);
            }
        });
        Some(quote! {
            if ::ractor::remoting::derived::ends_in_lent(&__fields, &__lent, #before) {
                #(#fields)*
                let #last = ::ractor::remoting::derived::last_in_lent::<Self, #last_of>(
                    __fields,
                    __lent,
                );
                return #value;
            }
        })
    }
}

fn shapes(ast: &DeriveInput) -> Result<Vec<Shape<'_>>> {
    match &ast.data {
        Data::Struct(data) => Ok(vec![Shape::new(quote! { Self }, &data.fields, None)]),
        Data::Enum(data) => {
            let shapes = (0..).zip(&data.variants).map(|(place, variant)| {
                let name = &variant.ident;
                Shape::new(quote! { Self::#name }, &variant.fields, Some(place))
            });
            Ok(shapes.collect())
        }
        Data::Union(_) => Err(Error::new(
            ast.ident.span(),
            "a union does not say what it holds, and has no form as bytes",
        )),
    }
}

fn expand(ast: &DeriveInput) -> Result<TokenStream> {
    let shapes = shapes(ast)?;
    let name = &ast.ident;
    let generics = bounded(ast, &shapes);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();

    let lengths = shapes.iter().map(Shape::length);
    let writing = shapes.iter().map(Shape::write);
    let writing_ref = shapes.iter().map(Shape::write_ref);
    let reading = match &ast.data {
        Data::Enum(_) => {
            let arms = shapes.iter().map(|shape| {
                let (place, read) = (shape.place, shape.read());
                quote! { #place => { #read } }
            });
            quote! {
                match ::ractor::remoting::derived::place_of::<Self>(&mut __fields) {
                    #(#arms)*
                    _ => ::ractor::remoting::derived::not_of::<Self>(),
                }
            }
        }
        Data::Struct(_) | Data::Union(_) => shapes.iter().map(Shape::read).collect(),
    };
    let reading_split = match &ast.data {
        Data::Enum(_) => {
            let arms = shapes.iter().filter_map(|shape| {
                let (place, read) = (shape.place, shape.read_split()?);
                Some(quote! { ::core::option::Option::Some(#place) => { #read } })
            });
            quote! {
                match ::ractor::remoting::derived::place_in_front(&mut __fields) {
                    #(#arms)*
                    _ => {}
                }
            }
        }
        Data::Struct(_) | Data::Union(_) => shapes.iter().filter_map(Shape::read_split).collect(),
    };
    let (value, reference) = match shapes.is_empty() {
        true => (quote! { match self {} }, quote! { match *self {} }),
        false => {
            (quote! { match self { #(#writing)* } }, quote! { match self { #(#writing_ref)* } })
        }
    };
    let length = match shapes.is_empty() {
        true => quote! { match *self {} },
        false => quote! { match self { #(#lengths)* } },
    };
    Ok(quote! {
        #[automatically_derived]
        #[allow(unused_variables, unused_mut, unreachable_code)]
        impl #impl_generics ::ractor::BytesConvertable for #name #ty_generics #where_clause {
            fn into_bytes(self) -> ::std::vec::Vec<u8> {
                ::ractor::remoting::derived::into_bytes(self)
            }

            fn from_bytes(__bytes: ::std::vec::Vec<u8>) -> Self {
                ::ractor::remoting::derived::from_bytes(__bytes)
            }

            fn bytes_len(&self) -> ::core::option::Option<usize> {
                #length
            }

            fn into_encoder(self, __encoder: &mut ::ractor::remoting::Encoder) {
                #value
            }

            fn to_encoder(&self, __encoder: &mut ::ractor::remoting::Encoder) -> bool {
                #reference
            }

            fn from_part(__part: ::ractor::remoting::Part<'_>) -> Self {
                let mut __fields = ::ractor::remoting::Fields::within(__part);
                #reading
            }

            fn from_split(
                __front: ::ractor::remoting::derived::Bytes,
                __lent: ::ractor::remoting::derived::Bytes,
            ) -> Self {
                let mut __fields = ::ractor::remoting::Fields::of(&__front);
                #reading_split
                Self::from_owned(::ractor::remoting::derived::joined(__front, &__lent))
            }
        }
    })
}

/// The type's generics, with what its fields need of them.
fn bounded(ast: &DeriveInput, shapes: &[Shape<'_>]) -> syn::Generics {
    let mut generics = ast.generics.clone();
    let parameters: Vec<_> = ast.generics.type_params().map(|it| it.ident.to_string()).collect();
    if parameters.is_empty() {
        return generics;
    }
    let bounds = &mut generics.make_where_clause().predicates;
    for (_, of) in shapes.iter().flat_map(|shape| &shape.fields) {
        if mentions(of.to_token_stream(), &parameters) {
            bounds.push(syn::parse_quote!(#of: ::ractor::BytesConvertable));
        }
    }
    generics
}
