"""The directory: who owns which extension, number and trunk, and what a call costs.

People keep it as CSV files in ``include/directory/`` (and the PBXs in ``include/pbx.yml``); this
package checks them and loads them, all or nothing, into the schema ``directory`` of the warehouse.
"""
