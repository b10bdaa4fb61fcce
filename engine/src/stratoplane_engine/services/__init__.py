# SPDX-License-Identifier: Apache-2.0
"""One module for each noun; a public function is one transaction."""
