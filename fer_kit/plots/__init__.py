"""Every figure: functions that take data and return the Figure.

base       style, colours, panels and their titles, the line that names the source
data       grids of faces, faces per emotion, pixel values, a system as boxes and arrows
results    training curves, confusion matrices, networks side by side, calibration
explain    maps over faces, projections, true against predicted
studies    the studies of lesson 07; tuning: of lesson 08; classical: of lesson 11; gender: of lesson 14
camera     detections, tracks and emotions over time
controls   sliders below a figure
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "base": "GREY colours stamp use_style",
        "data": "count_plot emotions_by_rows face_grid flow_diagram one_per_emotion pixel_histogram",
        "results": "training_curves compare_models confusion per_emotion reliability transfer_stages",
        "explain": "true_against_predicted face_and_answer map_grid heat_over_faces scatter",
        "studies": "compare_histories fair_comparison imbalance_heatmap learning_curve gap_bars",
        "tuning": "finder effect table_of_two progress history slices parallel importance",
        "classical": "eigenfaces hog_glyphs accuracy_grid accuracy_beside_cost",
        "gender": "gender_histogram gender_errors gender_remedy gender_abstention gender_side_by_side "
        "framework",
        "controls": "turn",
        "camera": "strip detections traces over_time tracking_stages emotions_over_time",
    },
)
