#!/usr/bin/env node
// placeholder until the command exists
