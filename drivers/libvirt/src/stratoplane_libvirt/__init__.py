# SPDX-License-Identifier: Apache-2.0
"""Stratoplane driver for libvirt and QEMU."""
