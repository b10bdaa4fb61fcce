# SPDX-License-Identifier: Apache-2.0
"""The nouns of the command, one module each, loaded when it is asked for."""
