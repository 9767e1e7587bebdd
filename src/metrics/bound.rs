//! Declares metrics that are registered once and bound later: to a number, to a lane, to the broker if there is one.

/// Declares the families, and the series of one subject; a field's doc is its help.
macro_rules! bound {
    (
        $(#[$families_doc:meta])* $families:ident,
        $(#[$doc:meta])* $name:ident of $labels:expr;
        $($(#[doc = $help:literal])+ $field:ident: $kind:ty = $metric:literal $(, $buckets:expr)?;)+
    ) => {
        $(#[$families_doc])*
        #[derive(Debug)]
        pub(super) struct $families {
            $($field: <$kind as Kind>::Family,)+
        }

        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl $families {
            pub(super) fn register(registry: &Registry) -> Self {
                Self {
                    $($field: {
                        let buckets: &[&[f64]] = &[$($buckets)?];
                        <$kind as Kind>::family(registry, $metric, concat!($($help),+).trim(), &$labels, &buckets.concat())
                    },)+
                }
            }

            pub(super) fn bind(&self, values: &[&str]) -> $name {
                $name { $($field: <$kind as Kind>::bind(&self.$field, values),)+ }
            }
        }
    };
}

pub(super) use bound;
