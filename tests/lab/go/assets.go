// SPDX-License-Identifier: Apache-2.0

//go:build assets

// Modules whose Go code the lab does not run but whose files it uses (their CRDs): this import,
// never built, keeps their versions in go.mod.
package main

import (
	_ "sigs.k8s.io/gateway-api/apis/v1"
	_ "sigs.k8s.io/mcs-api/config/crd"
)
